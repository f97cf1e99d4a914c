import { find, setText } from "../shared/dom.js";

/**
 * Show an error beside its field, or remove it. The error is the element `#{id of the field}-error`.
 *
 * @param {HTMLInputElement} input
 * @param {string} text
 */
export function showFieldError(input, text) {
  setText(find(`#${input.id}-error`), text);
  if (text) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}
