import { allOf } from "../live/cells.js";
import { find, setText } from "../shared/dom.js";
import { showCalls } from "./call-board.js";
import { showLastCalls } from "./last-calls.js";
import { showNextUp } from "./next-up.js";

/** @typedef {import("../live/cells.js").DisplayQueue & {id: number}} Queue */

/** Return whether any queue runs late. @param {import("../live/cells.js").Cells} cells */
export const isAnyLate = (cells) => /** @type {Queue[]} */ (allOf(cells, "queue")).some(({ late }) => late > 0);

/**
 * Show the board of a waiting room: the calls, the next patients, and the site with its message.
 *
 * @param {import("../live/cells.js").Cells} cells
 * @param {number} now  the server's time in milliseconds
 * @param {ParentNode} [root]  contains the parts of the board; the whole page without it
 */
export function showBoard(cells, now, root = document) {
  /** @type {import("../live/cells.js").Site | undefined} */
  const site = cells.get("site");
  const calls = find("[data-calls]", root);
  showCalls(calls, cells);
  find("[data-no-calls]", root).hidden = calls.childElementCount > 0;
  showLastCalls(find("[data-last-calls]", root), cells);
  showNextUp(find("[data-next-up]", root), cells, now);
  setText(find("[data-site]", root), site?.name ?? "");
  const message = find("[data-message]", root);
  setText(message, site?.message ?? "");
  message.hidden = message.textContent === "";
}
