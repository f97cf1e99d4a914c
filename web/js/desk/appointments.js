/** Appointments, made from their cells: their order, what can be done with them, and the search. Pure functions. */

import { allOf } from "../live/cells.js";
import { isUnreached } from "./entry-texts.js";
import { wordsOf } from "./folding.js";

/**
 * @typedef {import("../live/cells.js").Appointment & {id: number}} Appointment
 * @typedef {"held" | "lapsed" | "booked" | "due" | "late" | "too_late" | "checked_in" | "fulfilled" | "no_show" | "cancelled"} Stage
 *   `lapsed`: a hold that is over, without an event; `due`: the patient may check in; `late`: the appointment has begun
 *   without its patient; `too_late`: only staff may check the patient in
 */

/**
 * Return all appointments, by time.
 *
 * @param {import("../live/cells.js").Cells} cells
 * @returns {Appointment[]}
 */
export function appointmentsOf(cells) {
  const found = /** @type {Appointment[]} */ (allOf(cells, "appointment"));
  return found.sort((one, other) => one.starts - other.starts || one.provider - other.provider || one.id - other.id);
}

/**
 * Return the stage of an appointment.
 *
 * @param {Pick<Appointment, "state" | "held_until" | "check_in_from" | "late_from" | "too_late_from">} appointment
 * @param {number} now  the server's time in milliseconds
 * @returns {Stage}
 */
export function stageOf({ state, held_until: held, check_in_from: from, late_from: late, too_late_from: tooLate }, now) {
  if (state === "held") return held !== null && held <= now ? "lapsed" : "held";
  if (state !== "booked") return state;
  if (now > tooLate) return "too_late";
  if (now >= late) return "late";
  return now >= from ? "due" : "booked";
}

/**
 * Return the actions that an appointment's state allows, by the name of the button. A check-in comes first: it is the usual next step.
 *
 * @param {Appointment} appointment
 * @param {number} now
 * @returns {string[]}
 */
export function stepsOf(appointment, now) {
  const marked = isUnreached(appointment) ? ["clear-unreached"] : [];
  if (appointment.state === "no_show") return [...(appointment.entry === null ? ["check-in"] : []), ...marked, "history"];
  if (appointment.state !== "booked") return [...marked, "history"];
  return ["check-in", ...(now >= appointment.starts ? ["no-show"] : []), "move", "amend-visit", ...marked, "history", "cancel"];
}

/**
 * Return the appointments whose patient's name or ticket contains every word, in any order. Case and accents do not count.
 *
 * @param {readonly Appointment[]} appointments
 * @param {string} wanted
 * @returns {Appointment[]}
 */
export function appointmentsMatching(appointments, wanted) {
  const words = wordsOf(wanted);
  return appointments.filter(({ label, name }) => {
    const text = wordsOf(`${label ?? ""} ${name ?? ""}`).join(" ");
    return text !== "" && words.every((word) => text.includes(word));
  });
}
