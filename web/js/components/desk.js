/** What the desk's cells mean: queues with their rows in order, points with their guests. Pure. */

import { allOf, byPosition, byRank } from "../live/cells.js";

/**
 * @typedef {import("../live/cells.js").Cells} Cells
 * @typedef {import("../live/cells.js").DeskQueue & {id: number}} Queue
 * @typedef {import("../live/cells.js").DeskPoint & {id: number}} Point
 * @typedef {import("../live/cells.js").DeskEntry & {id: number}} Entry
 *
 * @typedef {object} Desk
 * @property {Queue[]} queues
 * @property {Point[]} points
 * @property {Map<number, Entry[]>} open     by queue: everyone who is here, in order
 * @property {Map<number, Entry[]>} noShows  by queue: today's, in order
 * @property {Map<number, Entry>} entries    by id
 */

/**
 * @param {Cells} cells
 * @returns {Desk}
 */
export function deskOf(cells) {
  const queues = /** @type {Queue[]} */ (allOf(cells, "queue")).sort(byPosition);
  const points = /** @type {Point[]} */ (allOf(cells, "point")).sort(byPosition);
  const entries = /** @type {Entry[]} */ (allOf(cells, "entry")).sort(byRank);
  const inQueue = (/** @type {(entry: Entry) => boolean} */ wanted) =>
    new Map(queues.map(({ id }) => [id, entries.filter((entry) => entry.queue === id && wanted(entry))]));
  return {
    queues,
    points,
    open: inQueue((entry) => entry.state !== "no_show"),
    noShows: inQueue((entry) => entry.state === "no_show"),
    entries: new Map(entries.map((entry) => [entry.id, entry])),
  };
}

/**
 * Return who is at a point, if anyone.
 *
 * @param {Desk} desk
 * @param {Point | null} point
 * @returns {Entry | null}
 */
export function guestOf(desk, point) {
  return point?.entry == null ? null : (desk.entries.get(point.entry) ?? null);
}

/**
 * Return the actions that make sense at a point now, by their command's name. The first is the usual next step.
 *
 * @param {Desk} desk
 * @param {Point | null} point
 * @returns {string[]}
 */
export function possibleAt(desk, point) {
  if (point === null) return [];
  const guest = guestOf(desk, point);
  if (guest?.state === "called") return ["start", "recall", "no-show", "transfer"];
  if (guest?.state === "serving") return ["complete", "transfer"];
  const anyone = point.queues.some((queue) => desk.open.get(queue)?.some(({ state }) => state === "waiting"));
  return anyone ? ["call-next"] : [];
}

/**
 * Return the whole minutes that an entry has waited, or did until it was seen.
 *
 * @param {Entry} entry
 * @param {number} now  the server's time in milliseconds
 */
export function waitedMinutes(entry, now) {
  const until = entry.state === "waiting" || entry.state === "called" ? now : entry.since;
  return minutesBetween(entry.joined, until);
}

/**
 * @param {number} from
 * @param {number} until
 */
export function minutesBetween(from, until) {
  return Math.max(0, Math.floor((until - from) / 60_000));
}
