import { allOf } from "../live/cells.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { arrowIcon, pointName } from "./call-board.js";

/**
 * @typedef {import("../live/cells.js").Cells} Cells
 * @typedef {import("../live/cells.js").Announcement} Announcement
 */

const SHOWN = 4;

/**
 * Return the latest calls that have ended, the latest first, for patients who missed their call.
 *
 * @param {Cells} cells
 * @returns {{entry: number, label: string, point: string}[]}
 */
export function lastCalls(cells) {
  const found = [];
  const announcements = /** @type {(Announcement & {id: number})[]} */ (allOf(cells, "announcement"));
  announcements.sort((one, other) => other.id - one.id);
  // A ticket goes from stage to stage, and only its latest call counts.
  const seen = new Set(allOf(cells, "entry").map((each) => /** @type {any} */ (each).label));
  for (const { entry, label, point, kind } of announcements) {
    if (seen.has(label)) continue;
    seen.add(label);
    if (kind !== "withdrawn") found.push({ entry, label, point: pointName(cells, point) });
  }
  return found.slice(0, SHOWN);
}

/**
 * Show the latest calls that have ended.
 *
 * @param {HTMLElement} block
 * @param {Cells} cells
 */
export function showLastCalls(block, cells) {
  const calls = lastCalls(cells);
  block.hidden = calls.length === 0;
  updateList(
    find(".last-calls-list", block),
    calls,
    ({ entry }) => entry,
    () =>
      element(
        "li",
        { className: "last-call" },
        element("span", { className: "last-call-ticket" }),
        arrowIcon(),
        element("span", { className: "last-call-point" }),
      ),
    (made, { label, point }) => {
      setText(find(".last-call-ticket", made), label);
      setText(find(".last-call-point", made), point);
    },
  );
}
