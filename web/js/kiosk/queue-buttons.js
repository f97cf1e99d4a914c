import { queueChip } from "../components/queue-chip.js";
import { waitText, waitingText } from "../components/wait-range.js";
import { allOf, byPosition } from "../live/cells.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { nameIn, t } from "../shared/i18n.js";

/**
 * @typedef {import("../live/cells.js").Cells} Cells
 * @typedef {import("../live/cells.js").KioskQueue & {id: number}} Queue
 */

const LEAST_HEIGHT_REM = 5.5;
const LEAST_WIDTH_REM = 17;

/** Return the queues in their order. @param {Cells} cells */
export const queuesOf = (cells) => /** @type {Queue[]} */ (allOf(cells, "queue")).sort(byPosition);

/** Whether a queue gives tickets now, apart from the opening hours. @param {Queue} queue */
export const isGiving = ({ paused, full }) => !paused && !full;

/**
 * Return how many buttons fit into the list at once. Nothing scrolls on a kiosk: a swipe does nothing.
 *
 * @param {HTMLElement} list
 * @param {number} wanted
 */
function capacity(list, wanted) {
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const { width, height } = list.getBoundingClientRect();
  const gap = parseFloat(getComputedStyle(list).gap) || 0;
  const count = (/** @type {number} */ room, /** @type {number} */ least) => Math.max(1, Math.floor((room + gap) / (Math.max(64, least) + gap)));
  const rows = count(height, LEAST_HEIGHT_REM * rem);
  const columns = wanted <= Math.min(rows, 3) ? 1 : Math.min(count(width, LEAST_WIDTH_REM * rem), 3, Math.ceil(wanted / 2));
  list.style.setProperty("--columns", String(columns));
  return Math.max(1, rows * columns);
}

/**
 * Show one button for each queue that gives tickets; the others say why they do not. Returns the number of pages.
 *
 * @param {HTMLElement} list
 * @param {Queue[]} queues
 * @param {{now: number, page: number, isLive: boolean}} look  `page`: the number of the page, from 0; it starts
 *   again after the last. `isLive`: the lines are those of now
 */
export function showQueues(list, queues, { now, page, isLive }) {
  const room = capacity(list, queues.length);
  const pages = Math.max(1, Math.ceil(queues.length / room));
  const shown = queues.slice((page % pages) * room, (page % pages) * room + room);
  list.dataset.count = String(shown.length);
  updateList(list, shown, ({ id, paused, full }) => `${id} ${paused} ${full}`, makeQueue, (row, queue) => updateQueue(row, queue, { single: queues.length === 1, now, isLive }));
  return pages;
}

/** @param {Queue} queue */
function makeQueue(queue) {
  const words = [
    queueChip(queue),
    element("span", { className: "queue-words" }, element("span", { className: "queue-name" }), element("span", { className: "queue-line" })),
  ];
  const row = element("li", { className: "queue-item" });
  if (isGiving(queue)) {
    const button = element("button", { type: "button", className: "kiosk-button queue-button" }, ...words);
    Object.assign(button.dataset, { do: "queue", queue: String(queue.id) });
    row.append(button);
  } else {
    row.append(element("p", { className: "queue-closed" }, ...words));
    row.dataset.closed = queue.paused ? "paused" : "full";
  }
  return row;
}

/**
 * @param {HTMLElement} row
 * @param {Queue} queue
 * @param {{single: boolean, now: number, isLive: boolean}} look
 */
function updateQueue(row, queue, { single, now, isLive }) {
  setText(find(".queue-name", row), nameIn(queue.name, queue.names));
  const line = find(".queue-line", row);
  if (!isGiving(queue)) setText(line, t(queue.paused ? "kiosk.paused" : "kiosk.full"));
  else setText(line, !isLive ? "" : [waitingText(queue), waitText(queue, now)].filter(Boolean).join(" · "));
  row.classList.toggle("is-single", single);
}
