import { find, setText } from "../shared/dom.js";

/**
 * Show how the last action went, until the next message.
 *
 * @param {string} text
 * @param {"done" | "error"} kind
 */
export function showMessage(text, kind) {
  const message = find("[data-message]");
  message.dataset.kind = kind;
  setText(message, text);
}
