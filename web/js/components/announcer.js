import { allOf } from "../live/cells.js";

/**
 * @typedef {import("../live/cells.js").Cells} Cells
 * @typedef {import("../live/cells.js").OpenCall} OpenCall
 * @typedef {import("../live/cells.js").Announcement} Announcement
 *
 * @typedef {object} Call  a call to announce
 * @property {number} entry
 * @property {string} label
 * @property {string} point     the point's main name
 * @property {Record<string, string>} names  the point's names by language tag
 * @property {string} language  the patient's
 */

const REMEMBERED = 300;

/**
 * Decides which calls to announce: each call and recall once, in the server's order, and none that has ended (after an
 * outage there may be many of these). A page that opens for the first time does not announce the calls that are open
 * already. After an outage or a reload it announces those that it has not announced yet.
 */
export class Announcer {
  /** The last announced call of each entry, as time and number of calls. @type {Map<string, string> | null} */
  #heard;

  /** @param {Record<string, string> | null} [heard]  the property `heard` before the page was reloaded */
  constructor(heard = null) {
    this.#heard = heard === null ? null : new Map(Object.entries(heard));
  }

  /** The announced calls as a plain object; null before the first view. */
  get heard() {
    return this.#heard === null ? null : Object.fromEntries(this.#heard);
  }

  /**
   * Return the calls of a view to announce now, the earliest first.
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
      heard.delete(String(each.id)); // moves the entry to the end: the oldest are removed first
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
  names: cells.get(`point:${point}`)?.names ?? {},
  language,
});

/**
 * Return the id of each entry's latest announcement, of those in the view.
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
