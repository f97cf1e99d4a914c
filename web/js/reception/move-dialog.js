import { element, find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { neighboursOf } from "./desk.js";
import { reasonChoice } from "./reason-choice.js";

/**
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("./desk.js").Entry} Entry
 */

/**
 * The dialog that moves an entry to another place in its queue, and asks for the reason.
 *
 * @param {HTMLDialogElement} dialog
 * @param {(entry: Entry, behind: number | null, reason: string) => void} move  `behind`: the id of the entry above; null
 *   for the first place
 * @returns {{open: (desk: Desk, entry: Entry, behind?: number | null) => void}}
 */
export function moveDialog(dialog, move) {
  const form = /** @type {HTMLFormElement} */ (find("form", dialog));
  const place = /** @type {HTMLSelectElement} */ (find("[name=place]", form));
  const reason = reasonChoice(form);
  /** @type {Entry | null} */
  let moving = null;

  find("[data-close]", dialog).addEventListener("click", () => dialog.close());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const why = reason.read();
    if (moving === null || why === null) return;
    dialog.close();
    move(moving, Number(place.value) || null, why);
  });

  return {
    open(desk, entry, behind) {
      const neighbours = neighboursOf(desk, entry);
      moving = entry;
      form.reset();
      reason.reset();
      setText(find("h2", dialog), t("desk.move.title", { label: entry.label }));
      place.replaceChildren(
        element("option", { value: "" }, t("desk.move.first")),
        ...neighbours.map(({ id, label, name }) => element("option", { value: String(id) }, t("desk.move.behind", { label, name: name ?? "" }).trim())),
      );
      const wanted = behind === undefined ? (neighbours[0]?.id ?? null) : behind;
      place.value = wanted === null ? "" : String(wanted);
      dialog.showModal();
      if (behind === undefined) place.focus();
      else reason.focus();
    },
  };
}
