import { queueChip } from "./queue-chip.js";
import { waitText, waitingText } from "./wait-range.js";
import { allOf, byPosition } from "../live/cells.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { hasText, nameIn, t } from "../shared/i18n.js";

const LATE = "display.late";

/** @typedef {import("../live/cells.js").DisplayQueue & {id: number}} Queue */

/**
 * Show the next tickets of each queue, how many wait there, and the expected wait.
 *
 * @param {HTMLElement} list
 * @param {import("../live/cells.js").Cells} cells
 * @param {number} now  the server's time, in milliseconds
 */
export function showNextUp(list, cells, now) {
  const queues = /** @type {Queue[]} */ (allOf(cells, "queue")).sort(byPosition);
  list.style.setProperty("--queues", String(Math.max(1, queues.length)));
  list.style.setProperty("--late-lines", String(queues.filter(({ late }) => late > 0).length));
  updateList(list, queues, ({ id }) => id, makeQueue, (block, queue) => updateQueue(block, queue, now));
}

/** @param {Queue} queue */
function makeQueue(queue) {
  const made = element(
    "li",
    { className: "next-up" },
    element(
      "h3",
      { className: "next-up-head" },
      queueChip(queue),
      element("span", { className: "next-up-name" }),
      element("span", { className: "next-up-wait" }),
    ),
    element(
      "div",
      { className: "next-up-line" },
      element("ol", { className: "next-up-tickets" }),
      element("span", { className: "next-up-waiting" }),
    ),
    element("p", { className: "next-up-late", hidden: true }),
  );
  made.dataset.queue = String(queue.id);
  return made;
}

/**
 * @param {HTMLElement} block
 * @param {Queue} queue
 * @param {number} now
 */
function updateQueue(block, queue, now) {
  setText(find(".next-up-name", block), nameIn(queue.name, queue.names));
  setText(find(".next-up-waiting", block), waitingText(queue));
  const late = find(".next-up-late", block);
  late.hidden = !(queue.late > 0) || !hasText(LATE); // the text comes with the first delay
  if (!late.hidden) setText(late, t(LATE, { n: queue.late }));
  const wait = find(".next-up-wait", block);
  setText(wait, waitText(queue, now));
  const length = [...queue.name, ...(wait.textContent ?? "")].length;
  find(".next-up-head", block).style.setProperty("--head-length", String(length));
  updateList(
    find(".next-up-tickets", block),
    queue.next,
    (label) => label,
    (label) => element("li", {}, label),
    () => {},
  );
}
