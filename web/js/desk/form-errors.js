import { errorMessage } from "./error-messages.js";
import { find, setText } from "../shared/dom.js";
import { formatTime, hasText, t } from "../shared/i18n.js";

/** The refusals that reception may overrule, with the field that says so. */
const CONFIRMED_BY = new Map([["site_closed", "overrule"], ["queue_full", "overrule"], ["already_queued", "second_ticket"], ["also_booked", "anyway"], ["has_appointment", "second_ticket"]]);
const PHONE_EXAMPLE = "+44 20 7946 0018";

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

/**
 * Show the error of a field whose content the browser refuses. Returns whether there is one.
 *
 * @param {HTMLFormElement} form
 */
export function showInvalid(form) {
  const invalid = /** @type {HTMLInputElement | null} */ (form.querySelector("input:invalid"));
  if (invalid !== null) showError(form, invalid.name, t(`issue.error.${invalid.name}`, { example: PHONE_EXAMPLE }));
  return invalid !== null;
}

/**
 * Show a refusal beside its field, or else above the buttons. A refusal that reception may overrule offers that choice.
 *
 * @param {HTMLFormElement} form
 * @param {unknown} error
 */
export function showRefusal(form, error) {
  const { code = "", details } = /** @type {{code?: string, details?: {fields?: {field: string}[], field?: string, example?: string, local_start?: string}}} */ (error);
  const local = details?.local_start;
  const fields = details?.fields?.map(({ field }) => field) ?? [details?.field ?? ""];
  const named = fields.find((field) => hasText(`issue.error.${field}`));
  if (named) showError(form, named, t(`issue.error.${named}`, { example: details?.example ?? PHONE_EXAMPLE }));
  else setText(find('[data-error="form"]', form), errorMessage(error, local === undefined ? {} : { local_start: formatTime(Date.parse(`${local}Z`), "UTC") }));
  const choice = CONFIRMED_BY.get(code);
  if (choice === undefined) return;
  const box = find(`[name=${choice}]`, form);
  /** @type {HTMLElement} */ (box.closest("label")).hidden = false;
  box.focus();
}

/**
 * Return the phone number that a form has, without the invisible marks of a copied one.
 *
 * @param {string} text
 */
export const phoneIn = (text) => text.replace(/\p{Cf}/gu, "").trim();
