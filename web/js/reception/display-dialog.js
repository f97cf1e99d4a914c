import { element, find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";

/**
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("./desk.js").Display} Display
 */

/**
 * The dialog that chooses the queues and the points whose calls a display shows. No choice means all.
 *
 * @param {HTMLDialogElement} dialog
 * @param {(display: Display, queueIds: number[], pointIds: number[]) => void} choose  called only for another choice
 * @returns {{open: (desk: Desk, display: Display) => void}}
 */
export function displayDialog(dialog, choose) {
  const form = /** @type {HTMLFormElement} */ (find("form", dialog));
  /** @type {Display | null} */
  let display = null;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close();
    const queues = chosen(form, "queues");
    const points = chosen(form, "points");
    if (display !== null && (!isSame(queues, display.queues) || !isSame(points, display.points))) choose(display, queues, points);
  });
  find("[data-close]", dialog).addEventListener("click", () => dialog.close());
  return {
    open(desk, shown) {
      display = shown;
      setText(find("h2", dialog), t("pair.title.of", { name: shown.name }));
      offer(form, "queues", desk.queues, shown.queues);
      offer(form, "points", desk.points, shown.points);
      dialog.showModal();
    },
  };
}

/**
 * @param {HTMLFormElement} form
 * @param {"queues" | "points"} what
 * @param {{id: number, name: string}[]} records
 * @param {number[]} ids  the present choice; it may name removed records, which are not offered
 */
function offer(form, what, records, ids) {
  const boxes = records.map(({ id, name }) => {
    const box = element("input", { type: "checkbox", name: what, value: String(id), checked: ids.includes(id) });
    return element("label", { className: "choice" }, box, element("span", {}, name));
  });
  find(`[data-offer="${what}"]`, form).replaceChildren(...boxes);
}

/**
 * @param {HTMLFormElement} form
 * @param {string} what
 */
const chosen = (form, what) => new FormData(form).getAll(what).map(Number);

/**
 * @param {number[]} one
 * @param {number[]} other
 */
const isSame = (one, other) => one.length === other.length && one.every((id) => other.includes(id));
