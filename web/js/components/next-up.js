import { queueChip } from "./queue-chip.js";
import { arrange, element, find, say } from "../dom.js";
import { t } from "../i18n.js";
import { allOf, byPosition } from "../live/cells.js";

/** @typedef {import("../live/cells.js").DisplayQueue & {id: number}} Queue */

/**
 * Show who is next in each queue, and how many wait there.
 *
 * @param {HTMLElement} list
 * @param {import("../live/cells.js").Cells} cells
 */
export function showNextUp(list, cells) {
  const queues = /** @type {Queue[]} */ (allOf(cells, "queue")).sort(byPosition);
  list.style.setProperty("--queues", String(Math.max(1, queues.length)));
  arrange(list, queues, ({ id }) => id, makeQueue, updateQueue);
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
      element("span", { className: "next-up-waiting" }),
    ),
    element("ol", { className: "next-up-tickets" }),
  );
  made.dataset.queue = String(queue.id);
  return made;
}

/**
 * @param {HTMLElement} block
 * @param {Queue} queue
 */
function updateQueue(block, queue) {
  say(find(".next-up-name", block), queue.name);
  say(find(".next-up-waiting", block), t("display.waiting", { n: queue.waiting }));
  arrange(
    find(".next-up-tickets", block),
    queue.next,
    (label) => label,
    (label) => element("li", {}, label),
    () => {},
  );
}
