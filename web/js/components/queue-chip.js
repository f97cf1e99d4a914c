import { element } from "../shared/dom.js";

const HUES = 8;

/**
 * Return a queue's mark: its letter on its hue. The hue is never alone, so that nobody needs to tell colours apart.
 *
 * @param {{prefix: string, position: number}} queue
 */
export function queueChip(queue) {
  const chip = element("span", { className: "queue-chip" }, queue.prefix);
  chip.dataset.hue = String(queue.position % HUES);
  chip.setAttribute("aria-hidden", "true"); // its name stands beside it
  return chip;
}
