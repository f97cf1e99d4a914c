/**
 * Press a page's buttons by single keys. A button says which is its own by `aria-keyshortcuts`.
 *
 * Nothing is pressed while somebody types, chooses or answers a dialog, nor again and again by a key held down. Whoever
 * steers by voice, or brushes keys by accident, can turn it off (WCAG 2.1.4).
 *
 * @param {() => boolean} wanted
 */
export function pressByKeys(wanted) {
  document.addEventListener("keydown", (event) => {
    if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || event.isComposing || !wanted()) return;
    if (event.target instanceof Element && event.target.closest("input, select, textarea, [contenteditable]")) return;
    if (document.querySelector("dialog[open]")) return;
    const key = CSS.escape(event.key.toLowerCase());
    const button = document.querySelector(`button[aria-keyshortcuts="${key}"]:not(:disabled)`);
    if (button instanceof HTMLButtonElement) {
      event.preventDefault(); // or the letter lands in the field of the dialog that it opens
      button.click();
    }
  });
}
