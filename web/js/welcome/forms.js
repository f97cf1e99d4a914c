/** What the forms of the first run share: the texts of refusals, and one request at a time. */

import { find, setText } from "../shared/dom.js";
import { hasText, t } from "../shared/i18n.js";

/**
 * Return the text of a refusal.
 *
 * @param {import("../shared/session.js").Refusal} refusal
 */
export function textOf({ code, details }) {
  const numbers = { ...details, n: details.left ?? Math.ceil((details.retry_after ?? 0) / 60) };
  return hasText(`error.${code}`) ? t(`error.${code}`, numbers) : t("error.internal_error");
}

/**
 * Do some work at each submit of a form, one at a time. An unexpected failure shows in the form.
 *
 * @param {HTMLFormElement} form
 * @param {() => Promise<void>} work
 */
export function onSubmit(form, work) {
  const button = find("[type=submit]", form);
  const formError = find("[data-form-error]", form);
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    setText(formError, "");
    try {
      await work();
    } catch {
      setText(formError, t("error.unreachable"));
    } finally {
      button.removeAttribute("aria-busy");
    }
  };
}
