import { element } from "../shared/dom.js";

const HUES = 8;

/**
 * Return the chip of a queue: its letter on its colour. The colour never stands alone, so nobody has to tell colours apart.
 *
 * @param {{prefix: string, position: number}} queue
 */
export function queueChip(queue) {
  const chip = element("span", { className: "queue-chip" }, queue.prefix);
  chip.dataset.hue = String(queue.position % HUES);
  chip.setAttribute("aria-hidden", "true"); // the queue's name stands beside the chip
  return chip;
}
