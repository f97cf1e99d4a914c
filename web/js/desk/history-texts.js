/** The steps of an appointment in words. Pure functions; the texts are in the folder `history` of the locales. */

/**
 * @typedef {object} Step  one step of the API's history
 * @property {number} seq
 * @property {number} at  milliseconds since 1970
 * @property {string} type
 * @property {string} actor  `staff:3`, `appointment:7000000011`, `clock`, ...
 * @property {string | null} username
 * @property {string | null} local_start
 * @property {number | null} provider_id
 * @property {string | null} was_local_start
 * @property {number | null} was_provider_id
 * @property {string | null} reason
 * @property {string | null} overbooked
 * @property {boolean} late
 * @property {number | null} offered_to
 * @property {string | null} label
 *
 * @typedef {{key: string, values: Record<string, string>}} Text
 *
 * @typedef {object} Words  the appointment, and how the page writes a time and a provider
 * @property {number} appointment
 * @property {(local: string) => string} moment  with the day
 * @property {(local: string) => string} time  without the day
 * @property {(id: number) => string} provider
 */

const DATE_LENGTH = "YYYY-MM-DD".length;
/** The steps whose text needs no choice. */
const PLAIN = new Set(["appointment-booked", "appointment-amended", "appointment-missed", "appointment-due", "appointment-rezoned", "appointment-unreached", "appointment-informed", "hold-released", "ticket-issued", "step-undone"]);

/**
 * Return what happened.
 *
 * @param {Step} step
 * @param {Words} words
 * @returns {Text}
 */
export function whatHappened(step, words) {
  const values = {
    time: step.local_start === null ? "" : words.moment(step.local_start),
    provider: step.provider_id === null ? "" : words.provider(step.provider_id),
    label: step.label ?? "",
  };
  if (step.offered_to === words.appointment) return { key: step.type === "appointment-held" ? "history.offered_here" : "history.offer_over", values };
  if (step.type === "appointment-held") return { key: step.offered_to === null ? "history.appointment-held" : "history.offered", values };
  if (step.type === "appointment-cancelled") return { key: step.late ? "history.cancelled_late" : "history.appointment-cancelled", values };
  if (step.type === "appointment-moved") return { key: movedKey(step), values: { ...values, ...before(step, words) } };
  return { key: PLAIN.has(step.type) ? `history.${step.type}` : "history.other", values };
}

/** @param {Step} step */
function movedKey({ local_start: to, was_local_start: from, provider_id: now, was_provider_id: was }) {
  if (now === was) return "history.appointment-moved";
  return to === from ? "history.moved_provider" : "history.moved_both";
}

/** @param {Step} step @param {Words} words */
const before = ({ local_start: to, was_local_start: from, was_provider_id: was }, words) => ({
  from: from === null ? "" : from.slice(0, DATE_LENGTH) === to?.slice(0, DATE_LENGTH) ? words.time(from) : words.moment(from),
  was: was === null ? "" : words.provider(was),
});

/**
 * Return why staff did a step, in their own words, or null.
 *
 * @param {Step} step
 * @param {Step | undefined} previous  its overbooking is known already
 * @returns {Text | null}
 */
export function whyIt({ reason, overbooked }, previous) {
  if (reason !== null) return { key: "history.reason", values: { reason } };
  return overbooked === null || overbooked === previous?.overbooked ? null : { key: "appointment.overbooked", values: { reason: overbooked } };
}

/**
 * Return who did a step: a user name, or the key of a text.
 *
 * @param {Step} step
 * @returns {{username: string, key?: undefined} | {key: string, username?: undefined}}
 */
export function whoDidIt({ actor, username }) {
  if (username !== null) return { username };
  const kind = actor.split(":", 1)[0] ?? "";
  if (kind === "staff") return { key: "history.by.staff" };
  if (kind === "kiosk") return { key: "history.by.kiosk" };
  if (kind === "key") return { key: "history.by.key" };
  return { key: PATIENTS.has(kind) ? "history.by.patient" : "history.by.system" };
}

/** The actors that are a patient: by the appointment's or the ticket's page, or by the page for booking. */
const PATIENTS = new Set(["appointment", "ticket", "phone"]);
