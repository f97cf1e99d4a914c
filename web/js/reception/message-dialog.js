import { find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";

/**
 * The dialog that shows a message on every display of the site, or removes it.
 *
 * @param {HTMLDialogElement} dialog
 * @param {(message: string | null) => void} broadcast  null removes the message
 * @returns {{open: (message: string | null) => void}}
 */
export function messageDialog(dialog, broadcast) {
  const form = /** @type {HTMLFormElement} */ (find("form", dialog));
  const text = /** @type {HTMLTextAreaElement} */ (find("textarea", form));
  const error = find(".field-error", form);
  const take = find("[data-take-away]", form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const message = text.value.trim();
    if (!message) {
      setText(error, t("desk.message.error"));
      text.setAttribute("aria-invalid", "true");
      text.focus();
      return;
    }
    dialog.close();
    broadcast(message);
  });
  take.addEventListener("click", () => {
    dialog.close();
    broadcast(null);
  });
  find("[data-close]", dialog).addEventListener("click", () => dialog.close());
  return {
    open(message) {
      text.value = message ?? "";
      text.removeAttribute("aria-invalid");
      setText(error, "");
      take.hidden = message === null;
      dialog.showModal();
      text.select();
    },
  };
}
