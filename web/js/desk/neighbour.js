/**
 * Return the item to which a key leads from an item in columns, or null. The arrows follow the screen, in both directions.
 *
 * @param {HTMLElement[][]} columns  with at least one item each, in the order of the page
 * @param {HTMLElement} item
 * @param {string} key
 * @param {(beside: HTMLElement[], index: number) => HTMLElement | null} across  chooses the item of the next column
 * @returns {HTMLElement | null}
 */
export function neighbour(columns, item, key, across) {
  const at = columns.findIndex((column) => column.includes(item));
  const own = columns[at] ?? [];
  const index = own.indexOf(item);
  switch (key) {
    case "ArrowDown":
      return own[index + 1] ?? null;
    case "ArrowUp":
      return own[index - 1] ?? null;
    case "Home":
      return own[0] ?? null;
    case "End":
      return own.at(-1) ?? null;
    case "ArrowLeft":
    case "ArrowRight": {
      const forward = (key === "ArrowRight") === (document.documentElement.dir !== "rtl");
      const beside = at < 0 ? undefined : columns[at + (forward ? 1 : -1)];
      return beside === undefined ? null : across(beside, index);
    }
    default:
      return null;
  }
}
