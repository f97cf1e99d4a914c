import { endSession } from "../desk/staff-session.js";
import { element, find, setText } from "../shared/dom.js";
import { remember } from "../shared/memory.js";

/** The name under which this browser remembers the last site. */
export const SITE = "site";

/**
 * Show the site and the user in the page's head, with a choice of sites and the sign-out.
 *
 * @param {{state: import("./state.js").DeskState, sites: import("../shared/session.js").Site[], user:
 *   import("../shared/session.js").User}} parts
 */
export function showHeader({ state: { connection, site }, sites, user }) {
  const select = /** @type {HTMLSelectElement} */ (find("[data-site-select]"));
  select.replaceChildren(...sites.map(({ id, name }) => element("option", { value: String(id) }, name)));
  select.value = String(site.id);
  select.addEventListener("change", () => {
    remember(SITE, select.value);
    location.reload();
  });
  find(".site-choice").hidden = sites.length < 2;
  setText(find("[data-site]"), sites.length < 2 ? site.name : "");
  setText(find("[data-who]"), user.username);
  find("[data-sign-out]").addEventListener("click", () => {
    connection.close();
    void endSession();
  });
}
