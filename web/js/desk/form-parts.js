/** Parts of the dialogs that scripts make. Their texts are in the page's language. */

import { element } from "../shared/dom.js";
import { t } from "../shared/i18n.js";

/**
 * Return a new dialog with one form, at the end of the page. Its heading is empty, and `[data-close]` closes it.
 *
 * @param {string} id
 * @param {{submit: string, close?: string, wide?: boolean}} look  the texts of its buttons
 * @param {...HTMLElement} parts  of the form, above its buttons
 */
export function formDialog(id, { submit, close = t("dialog.cancel"), wide = false }, ...parts) {
  const error = errorOf("form");
  const buttons = {
    close: element("button", { type: "button", className: "button", "data-close": "" }, close),
    submit: element("button", { type: "submit", className: "button is-primary" }, submit),
  };
  const heading = element("h2", { id: `${id}-title` });
  const actions = element("div", { className: "dialog-actions" }, buttons.close, buttons.submit);
  const form = element("form", { method: "dialog", noValidate: true }, heading, ...parts, error, actions);
  const dialog = element("dialog", { id, className: wide ? "dialog is-wide" : "dialog", "aria-labelledby": heading.id }, form);
  buttons.close.addEventListener("click", () => dialog.close());
  document.body.append(dialog);
  return { dialog, form, heading, error, actions, submit: buttons.submit };
}

/**
 * Return a field: an input with its label, and the place of its error.
 *
 * @template {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} T
 * @param {string} id     of the input, whose name is its last part
 * @param {string} label
 * @param {T} input
 */
export function fieldOf(id, label, input) {
  const name = id.slice(id.lastIndexOf("-") + 1);
  input.id = id;
  input.name = name;
  const error = errorOf(name);
  error.id = `${id}-error`;
  input.setAttribute("aria-describedby", error.id);
  return element("div", { className: "field" }, element("label", { htmlFor: id }, label), input, error);
}

/**
 * Return a box to tick, hidden until it is needed.
 *
 * @param {string} name
 * @param {string} label
 */
export function checkOf(name, label) {
  return element("label", { className: "check" }, element("input", { type: "checkbox", name }), element("span", {}, label));
}

/** @param {string} name  of a field, or `form` */
const errorOf = (name) => element("p", { className: "field-error", role: "alert", "data-error": name });

/**
 * Return a row of fields.
 *
 * @param {...HTMLElement} fields
 */
export const pairOf = (...fields) => element("div", { className: "field-pair" }, ...fields);

/**
 * Return options for a select, by name.
 *
 * @param {readonly {id: number, name: string}[]} each
 */
export const optionsOf = (each) => each.map(({ id, name }) => element("option", { value: String(id) }, name));
