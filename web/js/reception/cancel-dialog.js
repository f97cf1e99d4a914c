import { find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { reasonChoice } from "./reason-choice.js";

/** @typedef {import("./desk.js").Entry} Entry */

/**
 * The dialog that cancels an entry, and asks for the reason.
 *
 * @param {HTMLDialogElement} dialog
 * @param {(entry: Entry, reason: string) => void} cancel
 * @returns {{open: (entry: Entry) => void}}
 */
export function cancelDialog(dialog, cancel) {
  const form = /** @type {HTMLFormElement} */ (find("form", dialog));
  const reason = reasonChoice(form);
  /** @type {Entry | null} */
  let subject = null;

  find("[data-close]", dialog).addEventListener("click", () => dialog.close());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const why = reason.read();
    if (subject === null || why === null) return;
    dialog.close();
    cancel(subject, why);
  });

  return {
    open(entry) {
      subject = entry;
      form.reset();
      reason.reset();
      setText(find("h2", dialog), t("cancel.title", { label: entry.label }));
      dialog.showModal();
      reason.focus();
    },
  };
}
