import { element } from "../shared/dom.js";

/**
 * Show a dialog that leaves the page when it closes.
 *
 * @param {string} id
 * @param {HTMLElement} content  has the title `#{id}-title`
 */
export function shown(id, content) {
  const dialog = element("dialog", { id, className: "dialog", "aria-labelledby": `${id}-title` }, content);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
