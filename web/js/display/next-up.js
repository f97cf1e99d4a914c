import { queueChip } from "../components/queue-chip.js";
import { allOf, byPosition } from "../live/cells.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { formatNumber, nameIn, t } from "../shared/i18n.js";

/** @typedef {import("../live/cells.js").DisplayQueue & {id: number}} Queue */

const MINUTE_MS = 60_000;

/**
 * Return the expected wait of a patient who comes now, as a range of minutes, or null without an estimate.
 *
 * @param {Queue} queue
 * @param {number} now  milliseconds
 * @returns {{from: number, until: number} | null}
 */
export function rangeOf({ expect_from: first, expect_until: last }, now) {
  if (first == null || last == null) return null;
  const from = Math.max(0, Math.round((first - now) / MINUTE_MS));
  return { from, until: Math.max(from + 1, Math.ceil((last - now) / MINUTE_MS)) };
}

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
  setText(find(".next-up-waiting", block), queue.waiting === 0 ? t("display.nobody") : t("display.waiting", { n: queue.waiting }));
  const range = rangeOf(queue, now);
  const wait = find(".next-up-wait", block);
  const values = { from: formatNumber(range?.from ?? 0), until: formatNumber(range?.until ?? 0) };
  setText(wait, range === null ? "" : t(queue.estimating ? "display.wait.estimating" : "display.wait", values));
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
