import { element, setText, updateList } from "../shared/dom.js";
import { t } from "../shared/i18n.js";

/** @typedef {{id: number, label: string}} Called */

/**
 * Add the line for patients who were called before an outage: nobody knows whether the call is still true, so the line names
 * no room. Returns a function that shows these calls.
 *
 * @param {HTMLElement} board
 * @returns {(calls: readonly Called[]) => void}
 */
export function doubtfulLine(board) {
  const title = element("h2", { className: "last-calls-title" });
  const list = element("ol", { className: "last-calls-list" });
  const line = element("div", { className: "last-calls is-doubtful", "data-doubtful-calls": "" }, title, list);
  board.append(line);
  return (calls) => {
    line.hidden = calls.length === 0;
    setText(title, t("doubt.display"));
    updateList(list, [...calls], ({ id }) => id, () => element("li", { className: "last-call last-call-ticket" }), (row, { label }) => setText(row, label));
  };
}
