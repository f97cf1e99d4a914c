/** Selecting a row of the queues by a click or the arrow keys. The row that had the focus last is selected. */

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
    const to = row === null ? (event.key === "ArrowDown" ? firstOf(parent) : null) : neighbour(parent, row, event.key);
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
 * @param {HTMLElement} parent
 * @param {HTMLElement} row
 * @param {string} key
 * @returns {HTMLElement | null}
 */
function neighbour(parent, row, key) {
  const column = row.closest("[data-queue]");
  if (column === null) return null;
  const inColumn = rowsOf(column);
  const index = inColumn.indexOf(row);
  switch (key) {
    case "ArrowDown":
      return inColumn[index + 1] ?? null;
    case "ArrowUp":
      return inColumn[index - 1] ?? null;
    case "Home":
      return inColumn[0] ?? null;
    case "End":
      return inColumn.at(-1) ?? null;
    case "ArrowLeft":
    case "ArrowRight": {
      const columns = [...parent.children].filter((each) => rowsOf(each).length > 0);
      const beside = columns[columns.indexOf(column) + (key === "ArrowRight" ? 1 : -1)];
      const there = beside === undefined ? [] : rowsOf(beside);
      return there[Math.min(index, there.length - 1)] ?? null;
    }
    default:
      return null;
  }
}

/**
 * Return the visible rows of a column.
 *
 * @param {Element} column
 */
function rowsOf(column) {
  const rows = /** @type {NodeListOf<HTMLElement>} */ (column.querySelectorAll("[data-entry]"));
  return [...rows].filter((row) => row.closest("details:not([open])") === null);
}
