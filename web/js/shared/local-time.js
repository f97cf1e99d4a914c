/**
 * The times of appointments. The server sends the offset of every instant that people read, so these functions never ask
 * the browser for a named time zone: the zone data of a device may be old.
 */

import { formatDate, formatDay, formatTime, formatWeekday } from "./i18n.js";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** @typedef {{at: number, offset_minutes: number}} Reading  an instant, and the offset of the site's clock at it */

/**
 * Return the time of day that the site's clock shows: "14:40" or "2:40 pm".
 *
 * @param {number} instant  milliseconds since 1970
 * @param {number} offsetMinutes  how far the clock is ahead of UTC
 */
export const timeAt = (instant, offsetMinutes) => formatTime(instant + offsetMinutes * MINUTE_MS, "UTC");

/**
 * Return a local time as the site's clock shows it.
 *
 * @param {string} local  YYYY-MM-DDTHH:MM
 */
export const timeOf = (local) => formatTime(readingOf(local), "UTC");

/**
 * Return a date in words: "Monday, 3 March".
 *
 * @param {string} local  YYYY-MM-DD, or a local time
 */
export const dayOf = (local) => formatDay(Date.parse(`${local.slice(0, 10)}T00:00Z`), "UTC");

/**
 * Return a date in a few words: "Mon 3 Mar".
 *
 * @param {string} local  YYYY-MM-DD, or a local time
 */
export function shortDayOf(local) {
  const midnight = Date.parse(`${local.slice(0, 10)}T00:00Z`);
  return `${formatWeekday(midnight, "UTC")} ${formatDate(midnight, "UTC")}`;
}

/**
 * Return what the site's clock shows, as milliseconds: for comparing and adding, never as an instant.
 *
 * @param {string} local  YYYY-MM-DDTHH:MM
 */
export const readingOf = (local) => Date.parse(`${local}Z`);

/**
 * Return the local time at an instant, as YYYY-MM-DDTHH:MM.
 *
 * @param {number} instant
 * @param {number} offsetMinutes
 */
export const localAt = (instant, offsetMinutes) => new Date(instant + offsetMinutes * MINUTE_MS).toISOString().slice(0, 16);

/**
 * Return the date some days after another one, as YYYY-MM-DD.
 *
 * @param {string} date
 * @param {number} days
 */
export const dateAfter = (date, days) => new Date(Date.parse(`${date}T00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);

/**
 * Return an offset in words, to tell apart two equal local times: "UTC+2", "UTC−3:30".
 *
 * @param {number} minutes
 */
export function offsetName(minutes) {
  const rest = Math.abs(minutes) % 60;
  const hours = Math.floor(Math.abs(minutes) / 60);
  return `UTC${minutes < 0 ? "\u2212" : "+"}${hours}${rest === 0 ? "" : `:${String(rest).padStart(2, "0")}`}`;
}
