import { find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";

const SHORTEST = 3; // as the server has it

/**
 * A form's part that asks for a reason: one of those that are usual, or another in one's own words.
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
    /** As at first: after the form is. */
    reset() {
      showOther();
      clear();
    },
    /** Return the reason in words, or null and say what is wrong. */
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
