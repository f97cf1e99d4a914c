import { find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";

const SHORTEST = 3; // as on the server

/**
 * The part of a form that asks for a reason: one of the usual reasons, or another one as text.
 *
 * @param {HTMLFormElement} form
 */
export function reasonChoice(form) {
  const radios = /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll("[name=reason]")]);
  const other = /** @type {HTMLInputElement} */ (find("[name=other]", form));
  const error = find('[data-error="reason"]', form);
  const chosen = () => radios.find(({ checked }) => checked) ?? null;
  const showOther = () => {
    find("[data-other]", form).hidden = chosen()?.value !== "other";
  };
  const focus = () => (chosen() ?? radios[0])?.focus();
  const clear = () => {
    setText(error, "");
    other.removeAttribute("aria-invalid");
  };
  for (const each of radios) each.addEventListener("change", showOther);

  return {
    focus,
    /** Reset this part. Call it after the form's own reset. */
    reset() {
      showOther();
      clear();
    },
    /** Return the reason as text, or null and show the mistake. */
    read() {
      clear();
      const radio = chosen();
      if (radio === null) {
        setText(error, t("desk.move.error.reason"));
        focus();
        return null;
      }
      if (radio.value !== "other") return radio.labels?.[0]?.textContent?.trim() ?? radio.value;
      const words = other.value.trim();
      if (words.length >= SHORTEST) return words;
      setText(error, t("desk.move.error.other"));
      other.setAttribute("aria-invalid", "true");
      other.focus();
      return null;
    },
  };
}
