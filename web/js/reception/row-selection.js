/** Selecting a row of the queues by a click or the arrow keys. The row that had the focus last is selected. */

import { neighbour } from "../desk/neighbour.js";

/**
 * @param {HTMLElement} parent  the queues
 * @param {(id: number | null) => void} choose
 */
export function selectRows(parent, choose) {
  parent.addEventListener("focusin", ({ target }) => {
    const row = rowAt(target);
    if (row !== null) choose(Number(row.dataset.entry));
  });
  parent.addEventListener("click", ({ target }) => rowAt(target)?.focus());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
    const row = rowAt(event.target);
    if (row === null && event.target !== document.body) return;
    if (event.key === "Escape") {
      choose(null);
      row?.blur();
      return;
    }
    const to = row === null ? (event.key === "ArrowDown" ? firstOf(parent) : null) : neighbour(columnsOf(parent), row, event.key, sameRow);
    if (to === null) return;
    event.preventDefault();
    to.focus();
    to.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
}

/**
 * Let Tab reach one row of the queues: the selected one, or else the first.
 *
 * @param {HTMLElement} parent
 * @param {number | null} chosen
 */
export function updateTabStop(parent, chosen) {
  const wanted = (chosen === null ? null : /** @type {HTMLElement | null} */ (parent.querySelector(`[data-entry="${chosen}"]`))) ?? firstOf(parent);
  const before = /** @type {HTMLElement | null} */ (parent.querySelector('[data-entry][tabindex="0"]'));
  if (before === wanted) return;
  if (before !== null) before.tabIndex = -1;
  if (wanted !== null) wanted.tabIndex = 0;
}

/**
 * @param {EventTarget | null} target
 * @returns {HTMLElement | null}
 */
const rowAt = (target) => (target instanceof Element ? target.closest("[data-entry]") : null);

/**
 * @param {HTMLElement} parent
 * @returns {HTMLElement | null}
 */
const firstOf = (parent) => parent.querySelector("[data-entry]");

/**
 * Return the visible rows of a column.
 *
 * @param {Element} column
 */
function rowsOf(column) {
  const rows = /** @type {NodeListOf<HTMLElement>} */ (column.querySelectorAll("[data-entry]"));
  return [...rows].filter((row) => row.closest("details:not([open])") === null);
}

/** @param {HTMLElement} parent */
const columnsOf = (parent) => [...parent.children].map(rowsOf).filter((rows) => rows.length > 0);

/** @param {HTMLElement[]} rows @param {number} index */
const sameRow = (rows, index) => rows[Math.min(index, rows.length - 1)] ?? null;
