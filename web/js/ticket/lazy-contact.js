import { find, loadStyle } from "../shared/dom.js";
import { loadPart } from "../shared/i18n.js";

/**
 * Show how the clinic reaches the patient, once the page is live: the module, its texts and its styles load after the page.
 *
 * @param {import("./page.js").TicketPage} page
 */
export function lazyContact(page) {
  /** @type {Promise<import("./contact.js").ContactWays> | null} */
  let made = null;

  async function make() {
    const [{ ContactWays }] = await Promise.all([import("./contact.js"), loadPart("contact"), loadStyle("contact")]);
    const contact = new ContactWays(`/api/v1/${page.kind}/${encodeURIComponent(page.token)}`);
    find("[data-contact]").replaceChildren(contact.element);
    page.addEventListener("language", () => contact.paint());
    return contact;
  }

  page.connection.addEventListener("state", () => {
    if (page.connection.state !== "live") return;
    made ??= make();
    made.then((contact) => contact.ask()).catch(() => (made = null)); // the next connection tries again
  });
}
