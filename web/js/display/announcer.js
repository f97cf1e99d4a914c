import { allOf } from "../live/cells.js";

/**
 * @typedef {import("../live/cells.js").Cells} Cells
 * @typedef {import("../live/cells.js").OpenCall} OpenCall
 * @typedef {import("../live/cells.js").Announcement} Announcement
 *
 * @typedef {object} Call  a call that is to be heard
 * @property {number} entry
 * @property {string} label
 * @property {string} point     its name
 * @property {string} language  the patient's
 */

const REMEMBERED = 300;

/**
 * Decides which calls are to be heard: each call and recall once, in the server's order, and none that is over already
 * (after an outage there may be many of these). Calls that were open when the page first came are not news; after an
 * outage, also one in which the page was loaded anew, those that nobody heard are.
 */
export class Announcer {
  /** What was heard of each entry: when it was called, and how often. @type {Map<string, string> | null} */
  #heard;

  /** @param {Record<string, string> | null} [heard]  what `heard` told before the page was loaded anew */
  constructor(heard = null) {
    this.#heard = heard === null ? null : new Map(Object.entries(heard));
  }

  /** What was heard, as JSON keeps it; null before the first view. */
  get heard() {
    return this.#heard === null ? null : Object.fromEntries(this.#heard);
  }

  /**
   * Return the calls that are to be heard now, the earliest first.
   *
   * @param {Cells} cells
   * @returns {Call[]}
   */
  take(cells) {
    const calls = /** @type {(OpenCall & {id: number})[]} */ (allOf(cells, "entry"));
    const first = this.#heard === null;
    const heard = (this.#heard ??= new Map());
    const fresh = calls.filter((each) => heard.get(String(each.id)) !== signature(each));
    for (const each of fresh) {
      heard.delete(String(each.id)); // so that the latest stand last
      heard.set(String(each.id), signature(each));
    }
    for (const key of heard.keys()) {
      if (heard.size <= REMEMBERED) break;
      heard.delete(key);
    }
    if (first) return [];
    const order = latestAnnouncements(cells);
    return fresh
      .sort((one, other) => (order.get(one.id) ?? 0) - (order.get(other.id) ?? 0) || one.at - other.at || one.id - other.id)
      .map((each) => callOf(cells, each));
  }
}

/** @param {OpenCall} call */
const signature = ({ at, calls }) => `${at}.${calls}`;

/**
 * @param {Cells} cells
 * @param {OpenCall & {id: number}} call
 * @returns {Call}
 */
const callOf = (cells, { id, label, point, language }) => ({
  entry: id,
  label,
  point: cells.get(`point:${point}`)?.name ?? "",
  language,
});

/**
 * Return the number of each entry's last announcement, of those that are still told.
 *
 * @param {Cells} cells
 * @returns {Map<number, number>}
 */
export function latestAnnouncements(cells) {
  /** @type {Map<number, number>} */
  const found = new Map();
  for (const { id, entry } of /** @type {(Announcement & {id: number})[]} */ (allOf(cells, "announcement"))) {
    found.set(entry, Math.max(found.get(entry) ?? 0, id));
  }
  return found;
}
