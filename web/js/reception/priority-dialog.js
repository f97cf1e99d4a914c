import { find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { copyChoices } from "./copied-choices.js";
import { reasonChoice } from "./reason-choice.js";

/** @typedef {import("./desk.js").Entry} Entry */

/**
 * The dialog that changes the priority of a visit, and asks for the reason.
 *
 * @param {HTMLDialogElement} dialog
 * @param {(entry: Entry, priority: string, reason: string) => void} reprioritise
 * @returns {{open: (entry: Entry) => void}}
 */
export function priorityDialog(dialog, reprioritise) {
  const form = /** @type {HTMLFormElement} */ (find("form", dialog));
  const priorities = copyChoices(form, "priority");
  const reason = reasonChoice(form);
  /** @type {Entry | null} */
  let subject = null;
  const chosen = () => /** @type {HTMLInputElement} */ (priorities.find(({ checked }) => checked)); // one is always checked

  find("[data-close]", dialog).addEventListener("click", () => dialog.close());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (subject === null) return;
    const priority = chosen().value;
    if (priority === subject.priority) {
      dialog.close(); // nothing to change
      return;
    }
    const why = reason.read();
    if (why === null) return;
    dialog.close();
    reprioritise(subject, priority, why);
  });

  return {
    open(entry) {
      subject = entry;
      form.reset();
      reason.reset();
      setText(find("h2", dialog), t("reprioritise.title", { label: entry.label }));
      for (const each of priorities) each.checked = each.value === entry.priority;
      dialog.showModal();
      chosen().focus();
    },
  };
}
