/** The desk, made from its cells: queues with their entries in order, and points with their guests. Pure functions. */

import { isUnreached, minutesBetween } from "../desk/entry-texts.js";
import { wordsOf } from "../desk/folding.js";
import { appointmentsOf } from "../desk/appointments.js";
import { allOf, byPosition, byRank } from "../live/cells.js";
import { nameIn, named } from "../shared/i18n.js";

/**
 * @typedef {import("../live/cells.js").Cells} Cells
 * @typedef {import("../live/cells.js").DeskQueue & {id: number}} Queue
 * @typedef {import("../live/cells.js").DeskPoint & {id: number}} Point
 * @typedef {import("../live/cells.js").DeskEntry & {id: number}} Entry
 * @typedef {import("../live/cells.js").DeskProvider & {id: number}} Provider
 * @typedef {import("../desk/appointments.js").Appointment} Appointment
 * @typedef {import("../live/cells.js").DeskDisplay & {id: number}} Display
 * @typedef {import("../live/cells.js").DeskKiosk & {id: number}} Kiosk
 * @typedef {Display | Kiosk} Device
 *
 * @typedef {object} Desk
 * @property {import("../live/cells.js").DeskSite | null} site
 * @property {Queue[]} queues
 * @property {Point[]} points
 * @property {Provider[]} providers
 * @property {{id: number, name: string}[]} services
 * @property {Appointment[]} appointments  of today, by time
 * @property {Display[]} displays
 * @property {Kiosk[]} kiosks
 * @property {Map<number, Entry[]>} open     by queue: the entries that are present, in order
 * @property {Map<number, Entry[]>} noShows  by queue: today's no-shows, in order
 * @property {Map<number, Entry>} entries    by id
 */

/** The actions for every present entry, and those that end a visit before it is served. */
const TELLING = ["amend-visit", "print"];
const ENDING = ["leave", "cancel"];
const AMBER = 0.75; // of the target wait

/**
 * Return the desk that the cells describe, with names in the reader's language.
 *
 * @param {Cells} cells
 * @returns {Desk}
 */
export function deskOf(cells) {
  const queues = /** @type {Queue[]} */ (allOf(cells, "queue")).map(named).sort(byPosition);
  const points = /** @type {Point[]} */ (allOf(cells, "point")).map(named).sort(byPosition);
  const providers = /** @type {Provider[]} */ (allOf(cells, "provider")).sort(byPosition);
  const services = /** @type {(import("../live/cells.js").DeskService & {id: number})[]} */ (allOf(cells, "service")).sort(byPosition);
  const displays = /** @type {Display[]} */ (allOf(cells, "display"));
  const kiosks = /** @type {Kiosk[]} */ (allOf(cells, "kiosk"));
  const entries = /** @type {Entry[]} */ (allOf(cells, "entry")).sort(byRank);
  const open = new Map(queues.map(({ id }) => [id, /** @type {Entry[]} */ ([])]));
  const noShows = new Map(queues.map(({ id }) => [id, /** @type {Entry[]} */ ([])]));
  for (const entry of entries) (entry.state === "no_show" ? noShows : open).get(entry.queue)?.push(entry);
  return {
    site: cells.get("site") ?? null,
    queues,
    points,
    providers,
    services: services.map(({ id, name, public_name: known, names }) => ({ id, name: name ?? nameIn(known, names) })),
    appointments: appointmentsOf(cells),
    displays,
    kiosks,
    open,
    noShows,
    entries: new Map(entries.map((entry) => [entry.id, entry])),
  };
}

/**
 * Return the entry that is at a point, or null.
 *
 * @param {Desk} desk
 * @param {Point | null} point
 * @returns {Entry | null}
 */
export function guestOf(desk, point) {
  return point?.entry == null ? null : (desk.entries.get(point.entry) ?? null);
}

/**
 * Return the action for a late patient who is here.
 *
 * @param {Entry} entry
 */
const wayBack = ({ absent_until: until }) => (until === null ? [] : ["return"]);

/**
 * Return the actions that an entry's state allows, by the command's name. The first is the usual next step.
 *
 * @param {Entry} entry
 * @param {boolean} canCall  whether the user's point can call it
 * @returns {string[]}
 */
export function allowedSteps(entry, canCall) {
  switch (entry.state) {
    case "waiting":
      return [...(canCall ? ["call"] : []), ...wayBack(entry), "hold", "transfer", "move", ...TELLING, "reprioritise", "running-late", ...ENDING];
    case "called":
      return ["start", "recall", "no-show", "return", "hold", "transfer", "running-late", "leave", ...TELLING];
    case "serving":
      return ["complete", "transfer", ...TELLING];
    case "held":
      return ["return", ...TELLING, ...ENDING];
    case "no_show":
      return ["return", "print"];
    default:
      return [];
  }
}

/**
 * Return the possible actions, by the command's name: for the selected entry, or else for the guest of the user's point. The
 * first is the usual next step.
 *
 * @param {Desk} desk
 * @param {Point | null} point
 * @param {Entry | null} [chosen]
 * @returns {string[]}
 */
export function possibleActions(desk, point, chosen = null) {
  const guest = guestOf(desk, point);
  const free = point !== null && point.state === "open" && guest === null;
  const subject = chosen ?? guest;
  const own = subject === null ? [] : allowedSteps(subject, free && point.queues.includes(subject.queue));
  if (isUnreached(subject)) own.push("clear-unreached");
  const steps = appointmentOf(desk, subject) === null ? own : [...own, "history"];
  return free && point.next !== null ? [...steps, "call-next"] : steps;
}

/**
 * Return the appointment for which the patient of an entry came, or null.
 *
 * @param {Desk} desk
 * @param {Entry | null} entry
 * @returns {Appointment | null}
 */
export function appointmentOf(desk, entry) {
  return entry === null ? null : (desk.appointments.find((each) => each.entry === entry.id) ?? null);
}

/**
 * Return how an entry's wait compares to the site's target: below 75 % of it (fine), near it (amber), or beyond it (red).
 *
 * @param {Entry} entry
 * @param {number} now  the server's time in milliseconds
 * @returns {"fine" | "near" | "late"}
 */
export function waitLevel({ state, joined, wait_target: target }, now) {
  if (target == null || (state !== "waiting" && state !== "held")) return "fine";
  if (now >= target) return "late";
  return now >= joined + (target - joined) * AMBER ? "near" : "fine";
}

/**
 * Return the ids of the entries whose ticket or name contains every word, in any order, or all of them without separators.
 * Case, accents and apostrophes do not count.
 *
 * @param {Iterable<Entry>} entries
 * @param {string} wanted
 * @returns {Set<number>}
 */
export function entriesMatching(entries, wanted) {
  const words = wordsOf(wanted);
  const whole = words.join("");
  const matching = [...entries].filter(({ label, name }) => {
    const own = wordsOf(`${label} ${name ?? ""}`);
    const text = own.join(" ");
    return words.every((word) => text.includes(word)) || own.join("").includes(whole);
  });
  return new Set(matching.map(({ id }) => id));
}

/**
 * Return the whole minutes that an entry has waited, until now or until it was served.
 *
 * @param {Entry} entry
 * @param {number} now  the server's time in milliseconds
 */
export function waitedMinutes(entry, now) {
  const until = entry.state === "serving" || entry.state === "no_show" ? entry.since : now;
  return minutesBetween(entry.joined, until);
}

/**
 * Return the entries behind which an entry may be placed, in order: those that wait now in its queue with the same urgency.
 *
 * @param {Desk} desk
 * @param {Entry} entry
 * @returns {Entry[]}
 */
export function neighboursOf(desk, entry) {
  return (desk.open.get(entry.queue) ?? []).filter(
    (each) => each.id !== entry.id && each.state === "waiting" && each.absent_until === null && each.rank[0] === entry.rank[0],
  );
}

/**
 * Return the id of the entry behind which a dropped row comes, or null for the first place.
 *
 * @param {Entry[]} neighbours
 * @param {readonly number[]} order  the ids of the queue's rows, from top to bottom
 * @param {number | null} before      the row above which it was dropped; null for the end of the queue
 * @returns {number | null}
 */
export function entryAboveDrop(neighbours, order, before) {
  const places = new Map(order.map((id, index) => [id, index]));
  const limit = before === null ? order.length : (places.get(before) ?? order.length);
  return neighbours.findLast(({ id }) => (places.get(id) ?? order.length) < limit)?.id ?? null;
}
