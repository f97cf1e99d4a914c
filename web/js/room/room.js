/** A room, made from its cells, and the actions that its state allows. Pure functions. */

/**
 * @typedef {import("../live/cells.js").Cells} Cells
 * @typedef {import("../live/cells.js").RoomPoint} RoomPoint
 * @typedef {import("../live/cells.js").RoomGuest} RoomGuest
 * @typedef {import("../live/cells.js").RoomNext} RoomNext
 * @typedef {import("../live/cells.js").RoomDay} RoomDay
 *
 * @typedef {object} Room
 * @property {RoomPoint | null} point
 * @property {RoomGuest | null} guest
 * @property {RoomNext} next
 * @property {RoomDay} day
 * @property {string | undefined} language  the site's
 * @property {string | undefined} zone  the site's time zone
 */

/**
 * Return the room that the cells describe. Before the first snapshot it has no point.
 *
 * @param {Cells} cells
 * @returns {Room}
 */
export function roomOf(cells) {
  return {
    point: cells.get("point") ?? null,
    guest: cells.get("guest") ?? null,
    next: cells.get("next") ?? { waiting: 0, first: [] },
    day: cells.get("day") ?? { served: 0, no_shows: 0 },
    language: cells.get("site")?.language,
    zone: cells.get("site")?.time_zone,
  };
}

/**
 * Return the action that is the usual next step, or null if there is none.
 *
 * @param {Room} room
 * @returns {"open-point" | "call-next" | "start" | "complete" | null}
 */
export function primaryOf({ point, guest, next }) {
  if (point === null) return null;
  if (guest?.state === "called") return "start";
  if (guest?.state === "serving") return "complete";
  if (point.state !== "open") return "open-point";
  return next.waiting > 0 ? "call-next" : null;
}

/**
 * Return the other actions that the state allows.
 *
 * @param {Room} room
 * @returns {string[]}
 */
export function othersOf({ point, guest }) {
  if (guest?.state === "called") return ["recall", "no-show", "transfer", "return"];
  if (guest?.state === "serving") return ["transfer"];
  return point?.state === "open" ? ["break-point"] : [];
}
