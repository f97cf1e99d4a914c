/** Dragging a row to another place of its queue, or into another queue. The dialogs do the same without a mouse. */

/**
 * @typedef {object} Dropped
 * @property {number} entry
 * @property {number} queue          the queue where the row was dropped
 * @property {number | null} before  the id of the row above which it was dropped; null for the end
 */

/**
 * @param {HTMLElement} parent  the queues
 * @param {(dropped: Dropped) => void} drop
 */
export function dragRows(parent, drop) {
  /** @type {HTMLElement | null} */
  let dragged = null;
  const mark = targetMarker();

  parent.addEventListener("dragstart", (event) => {
    dragged = event.target instanceof Element ? event.target.closest("[data-entry]") : null;
    if (dragged === null || event.dataTransfer === null) return;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", dragged.dataset.label ?? "");
    dragged.classList.add("is-dragged");
    parent.classList.add("is-dragging");
  });
  parent.addEventListener("dragover", (event) => {
    const place = dragged === null ? null : placeAt(event);
    if (place === null) return;
    event.preventDefault();
    mark(place.before ?? place.column);
  });
  parent.addEventListener("dragleave", (event) => {
    if (!(event.relatedTarget instanceof Node) || !parent.contains(event.relatedTarget)) mark(null);
  });
  parent.addEventListener("drop", (event) => {
    const place = dragged === null ? null : placeAt(event);
    if (place === null || dragged === null) return;
    event.preventDefault();
    const before = place.before === null ? null : Number(place.before.dataset.entry);
    const entry = Number(dragged.dataset.entry);
    if (before !== entry) drop({ entry, queue: Number(place.column.dataset.queue), before });
  });
  parent.addEventListener("dragend", () => {
    dragged?.classList.remove("is-dragged");
    parent.classList.remove("is-dragging");
    mark(null);
    dragged = null;
  });
}

/** Return a function that marks one element as the target, instead of the last one. */
function targetMarker() {
  /** @type {Element | null} */
  let marked = null;
  return (/** @type {Element | null} */ target) => {
    if (marked === target) return;
    marked?.classList.remove("is-target");
    marked = target;
    marked?.classList.add("is-target");
  };
}

/**
 * Return the place of a row that is dropped here.
 *
 * @param {DragEvent} event
 * @returns {{column: HTMLElement, before: HTMLElement | null} | null}
 */
function placeAt(event) {
  if (!(event.target instanceof Element)) return null;
  const column = /** @type {HTMLElement | null} */ (event.target.closest("[data-queue]"));
  if (column === null) return null;
  const over = /** @type {HTMLElement | null} */ (event.target.closest('[data-entry]:not([data-state="no_show"])'));
  if (over === null) return { column, before: null };
  const { top, height } = over.getBoundingClientRect();
  const before = event.clientY < top + height / 2 ? over : /** @type {HTMLElement | null} */ (over.nextElementSibling);
  return { column, before };
}
