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
    // After a restore, numbers come again: the same key at another time is another announcement.
    const named = (/** @type {string} */ key) => `${key} ${cells.get(key).at}`;
    const known = this.#known;
    if (known === null) {
      this.#known = new Set(present.map(named));
      return [];
    }
    const fresh = present.filter((key) => !known.has(named(key)));
    for (const key of fresh) known.add(named(key));
    return fresh
      .filter((key) => cells.has(`entry:${cells.get(key).entry}`))
      .sort((one, other) => idOf(one) - idOf(other));
  }
}

/** @param {string} key */
const idOf = (key) => Number(key.slice(key.indexOf(":") + 1));
