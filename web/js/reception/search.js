import { element, find } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { LatestRequest } from "../shared/latest-request.js";
import { entriesMatching } from "./desk.js";

/**
 * @typedef {import("./state.js").DeskState} DeskState
 * @typedef {import("./actions.js").DeskActions} DeskActions
 */

const SEARCH_MS = 150;
const A_LABEL = /^[a-z]\d{3,}$/i;
const REOPENABLE = ["completed", "left", "cancelled"];

/**
 * Show the matching entries while the user types. A ticket that is not on the desk is looked up among today's ended ones.
 *
 * @param {DeskState} state
 * @param {DeskActions} actions
 * @returns {{focus: () => void}}
 */
export function startSearch(state, actions) {
  const input = /** @type {HTMLInputElement} */ (find("[data-search]"));
  const earlier = find("[data-earlier]");
  const lookUp = new LatestRequest();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  function searchNow() {
    clearTimeout(timer);
    const text = input.value.trim();
    state.search(text);
    earlier.hidden = true;
    lookUp.cancel();
    if (A_LABEL.test(text) && entriesMatching(state.desk.entries.values(), text).size === 0) {
      void showEnded(text.toUpperCase(), { state, actions, lookUp, earlier });
    }
  }

  input.placeholder = t("action.search");
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(searchNow, SEARCH_MS);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      input.value = "";
      searchNow();
      input.blur();
    } else if (event.key === "Enter" || event.key === "ArrowDown") {
      event.preventDefault();
      searchNow();
      const first = find("[data-columns]").querySelector("[data-entry]") ?? find("[data-day]").querySelector("[data-appointment]");
      /** @type {HTMLElement | null} */ (first)?.focus();
    }
  });
  return {
    focus() {
      input.focus();
      input.select();
    },
  };
}

/**
 * Show how today's visit with this ticket ended, and offer to reopen it. Shows nothing for an unknown ticket.
 *
 * @param {string} label
 * @param {{state: DeskState, actions: DeskActions, lookUp: LatestRequest, earlier: HTMLElement}} parts
 */
async function showEnded(label, { state, actions, lookUp, earlier }) {
  const address = `/api/v1/sites/${state.site.id}/entries?label=${encodeURIComponent(label)}`;
  const answer = await lookUp.get(address).catch(() => null);
  const last = answer?.data[0];
  if (last === undefined) return;
  const reopen = element("button", { type: "button", className: "button is-quiet" }, t("desk.search.reopen"));
  reopen.addEventListener("click", () => {
    earlier.hidden = true;
    void actions.run("reopen", { entry_id: last.id }, { label });
  });
  const offered = REOPENABLE.includes(last.state) && state.may("reopen") ? [reopen] : [];
  earlier.replaceChildren(element("p", {}, t(`desk.search.earlier.${last.state}`, { label })), ...offered);
  earlier.hidden = false;
}
