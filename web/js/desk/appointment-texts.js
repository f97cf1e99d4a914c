/** The texts of an appointment that the pages of the staff share. They are in the folder `appointments` of the locales. */

import { hasText, t } from "../shared/i18n.js";
import { dayOf, timeAt, timeOf } from "../shared/local-time.js";
import { languageName, minutesBetween, unreachedMarks } from "./entry-texts.js";
import { errorMessage } from "./error-messages.js";

/**
 * @typedef {import("./appointments.js").Appointment} Appointment
 * @typedef {import("./appointments.js").Stage} Stage
 */

/**
 * Return the time of an appointment's start, by the site's clock.
 *
 * @param {Appointment} appointment
 */
export const startTime = ({ starts, offset_minutes: offset }) => timeAt(starts, offset);

/**
 * Return who comes, as one name for a message: the patient, or the time if this page may not show names.
 *
 * @param {Appointment} appointment
 */
export const whoseName = (appointment) => appointment.name ?? startTime(appointment);

/**
 * Return the stage of an appointment in words, with the minutes of a late patient.
 *
 * @param {Appointment} appointment
 * @param {Stage} stage
 * @param {number} now
 */
export function stageText({ starts, offset_minutes: offset, held_until: held, check_in_from: from }, stage, now) {
  if (stage === "late" || stage === "too_late") return t(`appointment.${stage}`, { n: minutesBetween(starts, now) });
  return t(`appointment.${stage}`, { time: timeAt(held ?? from, offset) });
}

/**
 * Return the marks of an appointment: a message that did not arrive and conflicts first, then what the patient needs. A usual
 * value has no mark.
 *
 * @param {Appointment} appointment
 * @param {string | undefined} language  the site's
 * @param {{detailed?: boolean}} [look]  detailed: with the reason why the message did not arrive
 * @returns {{kind: string, text: string}[]}
 */
export function appointmentMarks(appointment, language, { detailed = false } = {}) {
  const { collides, overbooked, needs, language: theirs, wants_earlier: earlier } = appointment;
  const marks = unreachedMarks(appointment, detailed ? "detailOf" : "markOf");
  if (collides) marks.push({ kind: "collides", text: t("appointment.collides") });
  if (overbooked !== null) marks.push({ kind: "overbooked", text: t("appointment.overbooked", { reason: overbooked }) });
  for (const need of needs ?? []) marks.push({ kind: "need", text: t(`desk.need.${need}`) });
  if (language !== undefined && theirs !== null && theirs !== language) marks.push({ kind: "language", text: languageName(theirs) });
  if (earlier) marks.push({ kind: "earlier", text: t("appointment.wants_earlier") });
  return marks;
}

/**
 * Return why a time is not free, by the rule that takes it away.
 *
 * @param {string} rule
 */
export const ruleText = (rule) => t(hasText(`slot.${rule}`) ? `slot.${rule}` : "slot.booked");

/**
 * Return the message for a refused command of appointments. Local times in it are written by the site's clock, and a refused
 * time has its rule in words.
 *
 * @param {unknown} error
 */
export function appointmentError(error) {
  const { details = {} } = /** @type {{details?: Record<string, any>}} */ (error);
  /** @type {Record<string, string>} */
  const words = {};
  for (const name of ["local_start", "local_from", "local_until"]) {
    if (typeof details[name] === "string") words[name] = momentOf(details[name]);
  }
  if (typeof details.reason === "string") words.reason = ruleText(details.reason);
  if (typeof details.state === "string") words.state = t(`appointment.state.${details.state}`);
  return errorMessage(error, words);
}

/**
 * Return a local time in words: "Monday, 3 March, 14:40".
 *
 * @param {string} local  YYYY-MM-DDTHH:MM
 */
export const momentOf = (local) => t("appointment.moment", { day: dayOf(local), time: timeOf(local) });
