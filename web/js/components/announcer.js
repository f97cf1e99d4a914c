/**
 * Decides which announcements are to be heard: each once, none of those that were there when the page came, and none
 * whose call is over already (after an outage there may be many of these).
 */
export class Announcer {
  /** @type {Set<string> | null} */
  #known = null;

  /**
   * Return the keys of the announcements that are to be heard now, the earliest first.
   *
   * @param {import("../live/view.js").Cells} cells
   * @returns {string[]}
   */
  take(cells) {
    const present = [...cells.keys()].filter((key) => key.startsWith("announcement:"));
    const known = this.#known;
    if (known === null) {
      this.#known = new Set(present);
      return [];
    }
    const fresh = present.filter((key) => !known.has(key));
    for (const key of fresh) known.add(key);
    return fresh
      .filter((key) => cells.has(`entry:${cells.get(key).entry}`))
      .sort((one, other) => idOf(one) - idOf(other));
  }
}

/** @param {string} key */
const idOf = (key) => Number(key.slice(key.indexOf(":") + 1));
