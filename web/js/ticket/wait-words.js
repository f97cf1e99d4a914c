import { formatTime, nameIn, t } from "../shared/i18n.js";

/** @typedef {import("../live/cells.js").Ticket} Ticket */

/**
 * Return why the expected time moved, as a sentence. Empty if it did not move.
 *
 * @param {Pick<Ticket, "moved">} ticket
 */
export function movedText({ moved }) {
  if (moved == null) return "";
  const { cause, doctor, going_on: goingOn, minutes } = moved;
  const key = `ticket.moved.${cause}${goingOn ? ".going_on" : ""}`;
  const point = nameIn(moved.point ?? "", moved.point_names);
  if (cause !== "late_start") return t(key, { point });
  return t(doctor ? `${key}.doctor` : key, { point, n: Math.max(1, minutes) });
}

/**
 * Return until when the patient may leave, as a sentence. Empty without such a promise, and for a patient who is almost next.
 *
 * @param {Pick<Ticket, "leave_until" | "leave_said" | "time_zone">} ticket
 * @param {{now: number, near: boolean}} place  the server's time in milliseconds; whether the patient is almost next
 */
export function leaveText({ leave_until: until, leave_said: said, time_zone: zone }, { now, near }) {
  if (near || said == null) return "";
  if (until == null || until <= now) return said > now ? t("ticket.leave.over") : "";
  return t(until < said ? "ticket.leave.earlier" : "ticket.leave", { time: formatTime(until, zone) });
}
