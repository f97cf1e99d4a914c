import { element, find, say } from "../dom.js";
import { t } from "../i18n.js";

/**
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("./desk.js").Entry} Entry
 */

/**
 * Return those of an entry's queue behind whom it may be placed, in order: who waits there now with the same urgency.
 *
 * @param {Desk} desk
 * @param {Entry} entry
 * @returns {Entry[]}
 */
export function neighboursOf(desk, entry) {
  return (desk.open.get(entry.queue) ?? []).filter(
    (each) => each.id !== entry.id && each.state === "waiting" && each.absent_until === null && each.rank[0] === entry.rank[0],
  );
}

/**
 * Return behind whom a row is that was dropped before another (null: at the end): the id, or null for the first place.
 *
 * @param {Entry[]} neighbours
 * @param {readonly number[]} order  the ids of the queue's rows as they are shown
 * @param {number | null} before
 * @returns {number | null}
 */
export function behindOf(neighbours, order, before) {
  const places = new Map(order.map((id, index) => [id, index]));
  const limit = before === null ? order.length : (places.get(before) ?? order.length);
  return neighbours.findLast(({ id }) => (places.get(id) ?? order.length) < limit)?.id ?? null;
}

/**
 * The dialog that moves an entry to another place of its queue, and asks why.
 *
 * @param {HTMLDialogElement} dialog
 * @param {(entry: Entry, behind: number | null, reason: string) => void} move
 * @returns {{open: (desk: Desk, entry: Entry, behind?: number | null) => void}}
 */
export function moveDialog(dialog, move) {
  const form = /** @type {HTMLFormElement} */ (find("form", dialog));
  const place = /** @type {HTMLSelectElement} */ (find("[name=place]", form));
  const other = /** @type {HTMLInputElement} */ (find("[name=other]", form));
  const error = find(".field-error", form);
  /** @type {Entry | null} */
  let moving = null;

  const chosen = () => /** @type {HTMLInputElement | null} */ (form.querySelector("[name=reason]:checked"));
  const showOther = () => {
    find("[data-other]", form).hidden = chosen()?.value !== "other";
  };
  for (const each of form.querySelectorAll("[name=reason]")) each.addEventListener("change", showOther);
  find("[data-close]", dialog).addEventListener("click", () => dialog.close());

  /** @param {HTMLElement} field @param {string} text */
  function complain(field, text) {
    say(error, text);
    field.setAttribute("aria-invalid", "true");
    field.focus();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (moving === null) return;
    say(error, "");
    other.removeAttribute("aria-invalid");
    const radio = chosen();
    if (radio === null) {
      say(error, t("desk.move.error.reason"));
      /** @type {HTMLElement} */ (find("[name=reason]", form)).focus();
      return;
    }
    const reason = radio.value === "other" ? other.value.trim() : t(`desk.move.reason.${radio.value}`);
    if (reason.length < 3) {
      complain(other, t("desk.move.error.other"));
      return;
    }
    dialog.close();
    move(moving, Number(place.value) || null, reason);
  });

  return {
    open(desk, entry, behind) {
      const neighbours = neighboursOf(desk, entry);
      moving = entry;
      form.reset();
      showOther();
      say(error, "");
      say(find("h2", dialog), t("desk.move.title", { label: entry.label }));
      place.replaceChildren(
        element("option", { value: "" }, t("desk.move.first")),
        ...neighbours.map(({ id, label, name }) => element("option", { value: String(id) }, t("desk.move.behind", { label, name: name ?? "" }).trim())),
      );
      const wanted = behind === undefined ? (neighbours[0]?.id ?? null) : behind;
      place.value = wanted === null ? "" : String(wanted);
      dialog.showModal();
      if (behind === undefined) place.focus();
      else /** @type {HTMLElement} */ (find("[name=reason]", form)).focus();
    },
  };
}
