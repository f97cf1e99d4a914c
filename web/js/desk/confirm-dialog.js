import { element, setText } from "../shared/dom.js";
import { fieldOf, formDialog } from "./form-parts.js";
import { t } from "../shared/i18n.js";

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {string} lead
 * @property {string} yes  the text of the button
 * @property {string | null} reason  the label of a field for a reason; null: none is asked for
 * @property {(reason: string) => void} confirmed
 */

/**
 * The dialog that asks before a step that others notice.
 *
 * @returns {{open: (question: Question) => void}}
 */
export function confirmDialog() {
  const lead = element("p", { className: "dialog-lead" });
  const reason = element("input", { maxLength: 200, autocomplete: "off" });
  const field = fieldOf("confirm-reason", "", reason);
  const { dialog, form, heading, submit, actions } = formDialog("confirm", { submit: "", close: t("confirm.no") }, lead, field);
  /** @type {Question | null} */
  let asked = null;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close();
    asked?.confirmed(reason.value.trim());
  });
  return {
    open(question) {
      asked = question;
      form.reset();
      setText(heading, question.title);
      setText(lead, question.lead);
      setText(submit, question.yes);
      field.hidden = question.reason === null;
      setText(/** @type {Element} */ (field.querySelector("label")), question.reason ?? "");
      dialog.showModal();
      if (question.reason === null) submit.focus();
      else reason.focus();
      actions.scrollIntoView({ block: "nearest" });
    },
  };
}
