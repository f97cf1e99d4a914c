/** A dialog with a form: its own fields, one error below them, and the buttons. */

import { errorMessage } from "../desk/error-messages.js";
import { element, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";

let made = 0;

/**
 * @typedef {object} FormDialog
 * @property {string} title
 * @property {string} [lead]
 * @property {Node[]} parts
 * @property {string} yes     the text of the button that submits
 * @property {string} [no]    the text of the button that closes the dialog
 * @property {(dialog: HTMLDialogElement) => Promise<boolean>} submit  returns whether the dialog closes; what it throws is
 *   the error of the form
 * @property {{text: string, run: (dialog: HTMLDialogElement) => unknown}} [apart]  a button on its own side
 * @property {boolean} [wide]
 */

/**
 * Show a dialog until it is submitted or cancelled. Returns whether it was submitted.
 *
 * @param {FormDialog} options
 * @returns {Promise<boolean>}
 */
export function formDialog({ title, lead, parts, yes, no = t("dialog.cancel"), submit, apart, wide = false }) {
  const heading = element("h2", { id: `form-dialog-${(made += 1)}` }, title);
  const error = element("p", { className: "field-error", role: "alert" });
  const cancel = element("button", { className: "button", type: "button" }, no);
  const send = element("button", { className: "button is-primary", type: "submit" }, yes);
  const actions = element("div", { className: "dialog-actions" }, cancel, send);
  const form = element(
    "form",
    { method: "dialog", noValidate: true },
    heading,
    ...(lead === undefined ? [] : [element("p", { className: "dialog-lead" }, lead)]),
    ...parts,
    error,
    actions,
  );
  const dialog = element("dialog", { className: wide ? "dialog is-wide" : "dialog", "aria-labelledby": heading.id }, form);
  dialog.dataset.form = "";
  cancel.addEventListener("click", () => dialog.close());
  if (apart !== undefined) {
    const button = element("button", { className: "button is-quiet is-apart", type: "button" }, apart.text);
    button.addEventListener("click", () => void apart.run(dialog));
    actions.prepend(button);
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (send.getAttribute("aria-busy") === "true") return;
    setText(error, "");
    const wrong = form.querySelector(":is(input, select, textarea):invalid");
    if (wrong instanceof HTMLElement) {
      setText(error, t("admin.field.missing", { field: labelOf(wrong) }));
      wrong.focus();
      return;
    }
    send.setAttribute("aria-busy", "true");
    try {
      if (await submit(dialog)) dialog.close("done");
    } catch (refusal) {
      setText(error, refusal instanceof WrongField ? refusal.message : errorMessage(refusal));
    }
    send.removeAttribute("aria-busy");
  });
  // A question about a form lies over it, and comes before it in the document, too.
  document.body.insertBefore(dialog, document.querySelector("dialog[data-form]"));
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "done");
    });
  });
}

/** A value that the form refuses itself, with the text for the user. */
export class WrongField extends Error {}

/** @param {HTMLElement} input */
const labelOf = (input) => /** @type {HTMLInputElement} */ (input).labels?.[0]?.textContent ?? input.getAttribute("aria-label") ?? "";

/**
 * Return a labelled input, select or text area.
 *
 * @template {HTMLElement} I
 * @param {string} label
 * @param {I} input
 * @param {string} [hint]
 */
export function labelledField(label, input, hint) {
  input.id = `form-field-${(made += 1)}`;
  const box = element("div", { className: "field" }, element("label", { htmlFor: input.id }, label), input);
  if (hint !== undefined) {
    const text = element("p", { className: "field-hint", id: `${input.id}-hint` }, hint);
    input.setAttribute("aria-describedby", text.id);
    box.append(text);
  }
  return box;
}

/**
 * Return a labelled whole number with a unit behind it.
 *
 * @param {string} label
 * @param {HTMLInputElement} input
 * @param {string} unit
 * @param {string} [hint]
 */
export function measuredField(label, input, unit, hint) {
  const box = labelledField(label, input, hint);
  box.classList.add("is-number");
  const row = element("div", { className: "field-row" });
  input.replaceWith(row);
  row.append(input, element("span", { className: "field-unit" }, unit));
  return box;
}

/**
 * Return boxes to check, one for each choice.
 *
 * @param {string} label
 * @param {readonly (readonly [id: number, name: string])[]} choices
 * @param {readonly number[]} chosen
 * @param {string} [hint]
 * @returns {{element: HTMLElement, chosen: () => number[]}}
 */
export function choicesField(label, choices, chosen, hint) {
  const boxes = choices.map(([id, name]) => {
    const box = element("input", { type: "checkbox", value: String(id), checked: chosen.includes(id) });
    return { box, row: element("label", { className: "choice" }, box, element("span", {}, name)) };
  });
  const field = element(
    "fieldset",
    { className: "choices field" },
    element("legend", {}, label),
    element("div", { className: "choice-list" }, ...boxes.map(({ row }) => row)),
    ...(hint === undefined ? [] : [element("p", { className: "field-hint" }, hint)]),
  );
  return { element: field, chosen: () => boxes.filter(({ box }) => box.checked).map(({ box }) => Number(box.value)) };
}

/**
 * Return a choice of texts.
 *
 * @param {readonly (readonly [value: string | number, text: string])[]} choices
 * @param {string | number} chosen
 */
export function choice(choices, chosen) {
  const select = element("select", {}, ...choices.map(([value, text]) => element("option", { value: String(value) }, text)));
  select.value = String(chosen);
  return select;
}

/**
 * Return an input for a whole number.
 *
 * @param {number} value
 * @param {number} min
 * @param {number} max
 * @param {number} [step]
 */
export const wholeNumber = (value, min, max, step = 1) =>
  element("input", { type: "number", inputMode: "numeric", required: true, min: String(min), max: String(max), step: String(step), value: String(value) });
