import { find, setText } from "../shared/dom.js";

/**
 * Remove all errors from a form.
 *
 * @param {HTMLFormElement} form
 */
export function clearErrors(form) {
  for (const each of form.querySelectorAll(".field-error")) setText(each, "");
  for (const each of form.querySelectorAll("[aria-invalid]")) each.removeAttribute("aria-invalid");
}

/**
 * Show an error beside its field (`data-error` names the field), and focus the field.
 *
 * @param {HTMLFormElement} form
 * @param {string} name
 * @param {string} text
 */
export function showError(form, name, text) {
  const input = find(`[name="${name}"]`, form);
  setText(find(`[data-error="${name}"]`, form), text);
  input.setAttribute("aria-invalid", "true");
  input.focus();
}
