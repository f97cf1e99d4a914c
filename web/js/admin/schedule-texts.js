/** The texts of weekly times and of exceptions. */

import { allOf } from "../live/cells.js";
import { currentLanguage, formatTime, t } from "../shared/i18n.js";

/**
 * @typedef {import("../live/cells.js").Schedule} Schedule
 * @typedef {import("../live/view.js").Cells} Cells
 */

/** Return a time of day as the clinic's clock writes it. @param {number} minutes */
export const timeText = (minutes) => formatTime((minutes % (24 * 60)) * 60_000, "UTC");

/** Return a date without its weekday: "14 Dec 2026". @param {string} date */
export const shortDay = (date) => new Intl.DateTimeFormat(dateLanguage(), { dateStyle: "medium", timeZone: "UTC" }).format(Date.parse(`${date}T00:00Z`));

/** English dates are British, and Arabic ones have the digits of the tickets, as everywhere. */
const dateLanguage = () => /** @type {Record<string, string>} */ ({ en: "en-GB", ar: "ar-u-nu-latn" })[currentLanguage()] ?? currentLanguage();

/**
 * Return what a weekly time offers: the services and their length.
 *
 * @param {{services: number[], slot_minutes: number}} window
 * @param {Cells} cells
 */
export function offersText({ services, slot_minutes: minutes }, cells) {
  const all = allOf(cells, "service");
  const names = services.map((id) => cells.get(`service:${id}`)?.public_name ?? "").filter(Boolean);
  const what = all.length > 1 && names.length === all.length ? t("admin.week.all_services") : names.join(t("admin.list.separator"));
  return `${t("admin.week.slot", { n: minutes })} · ${what}`;
}

/**
 * Return what is unusual about a weekly time.
 *
 * @param {Schedule} schedule
 * @param {Cells} cells
 * @param {string} now  the date of today
 */
export function notesOf(schedule, cells, now) {
  const { point, capacity, buffer_minutes: buffer, every_n_weeks: weeks, valid_from: from, valid_until: until } = schedule;
  const notes = [];
  if (point !== null) notes.push(cells.get(`point:${point}`)?.name ?? "");
  if (capacity > 1) notes.push(t("admin.week.capacity", { n: capacity }));
  if (buffer > 0) notes.push(t("admin.week.buffer", { n: buffer }));
  if (weeks > 1) notes.push(t("admin.week.weeks", { n: weeks }));
  if (from > now) notes.push(t("admin.week.from", { day: shortDay(from) }));
  if (until !== null) notes.push(t("admin.week.until", { day: shortDay(until) }));
  return notes.filter(Boolean);
}
