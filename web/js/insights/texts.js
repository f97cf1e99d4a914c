/** Texts of days and hours. Business days are dates, so they need no time zone. */

import { formatDate, formatWeekday, t } from "../shared/i18n.js";
import { shortDayOf } from "../shared/local-time.js";

const midnight = (/** @type {string} */ date) => Date.parse(`${date}T00:00Z`);

/**
 * Return the days of a span, with the year: "Mon 24 Nov to Sun 30 Nov 2026".
 *
 * @param {import("./period.js").Span} span
 */
export function spanText({ from, to }) {
  const year = to.slice(0, 4);
  if (from === to) return `${shortDayOf(from)} ${year}`;
  const begin = from.slice(0, 4) === year ? shortDayOf(from) : `${shortDayOf(from)} ${from.slice(0, 4)}`;
  return t("insights.span", { from: begin, to: `${shortDayOf(to)} ${year}` });
}

/** Return a date in a few words: "24 Nov". @param {string} date */
export const dayText = (date) => formatDate(midnight(date), "UTC");

/** Return the name of a weekday: "Mon". @param {number} weekday  1 is Monday, 7 is Sunday */
export const weekdayText = (weekday) => formatWeekday(midnight(`2024-01-0${weekday}`), "UTC"); // the first was a Monday

/**
 * Return the name of an hour of the day. The hour that a day has twice gets a mark.
 *
 * @param {number} hour
 * @param {boolean} [doubled]
 */
export const hourText = (hour, doubled = false) => `${String(hour).padStart(2, "0")}${doubled ? "*" : ""}`;

/**
 * Return the note about days that are not counted yet. There may be counted days between the first and the last one.
 *
 * @param {{days: number, first: string, last: string}} missing
 */
export const missingText = ({ days, first, last }) => t("insights.missing", { n: days, from: dayText(first), to: dayText(last) });
