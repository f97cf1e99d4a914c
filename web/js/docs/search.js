import { find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";

/** @typedef {import("./api.js").Operation} Operation */

/**
 * Show only the operations that have every word of the search. "/" goes to the field, and Escape empties it.
 *
 * @param {Operation[]} operations
 */
export function startSearch(operations) {
  const input = /** @type {HTMLInputElement} */ (find("#search"));
  const texts = new Map(operations.map((each) => [each.id, textOf(each)]));
  input.placeholder = t("action.search");
  input.addEventListener("input", () => showMatching(texts, input.value));
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement;
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      input.focus();
      input.select();
    } else if (event.key === "Escape" && typing && input.value) {
      input.value = "";
      input.dispatchEvent(new Event("input"));
    }
  });
}

/** @param {Operation} each */
const textOf = ({ method, path, operation }) =>
  [method, path, operation.summary, operation.description, ...operation.tags, ...(operation["x-roles"] ?? [])].join(" ").toLowerCase();

/**
 * @param {Map<string, string>} texts  by the operation's id
 * @param {string} wanted
 */
function showMatching(texts, wanted) {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const [id, text] of texts) {
    const fits = words.every((word) => text.includes(word));
    count += Number(fits);
    find(`#${id}`).hidden = find(`[data-for="${id}"]`).hidden = !fits;
  }
  for (const group of document.querySelectorAll(".docs-group, [data-links]")) {
    const own = [...group.querySelectorAll(".docs-operation, li")];
    /** @type {HTMLElement} */ (group).hidden = own.every((each) => /** @type {HTMLElement} */ (each).hidden);
  }
  find("[data-nothing]").hidden = count > 0;
  setText(find("#found"), words.length ? t("desk.search.found", { n: count }) : "");
}
