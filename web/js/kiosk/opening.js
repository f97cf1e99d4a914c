/**
 * The opening hours of a site, as the server knows them (`server/domain/model/hours.py`): weekly ranges by the wall clock of
 * the site, and closed days. `tests/support/hours_cases.json` tests both.
 *
 * @typedef {{time_zone: string, hours: {day: number, begin: number, until: number}[], closed_on: string[]}} Opening
 */

import { offsetAt } from "../shared/i18n.js";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const LOOKED_AHEAD_DAYS = 14;

/**
 * Return whether a site is open.
 *
 * @param {number} now  milliseconds
 * @param {Opening} site
 */
export function isOpen(now, { time_zone: zone, hours, closed_on: closed }) {
  const { date, day, minutes } = wallClock(now, zone);
  if (closed.includes(date)) return false;
  return hours.length === 0 || hours.some((each) => each.day === day && each.begin <= minutes && minutes < each.until);
}

/**
 * Return when a closed site opens next, in milliseconds, or null if that is more than two weeks away.
 *
 * @param {number} now  milliseconds
 * @param {Opening} site
 * @returns {number | null}
 */
export function opensAt(now, site) {
  const here = wallClock(now, site.time_zone);
  for (let days = 0; days < LOOKED_AHEAD_DAYS; days += 1) {
    const then = wallClock(now + days * DAY_MS, site.time_zone);
    if (site.closed_on.includes(then.date)) continue;
    const begins = site.hours.length === 0 ? [0] : site.hours.filter(({ day }) => day === then.day).map(({ begin }) => begin);
    const begin = begins.sort((one, other) => one - other).find((minutes) => days > 0 || minutes > here.minutes);
    if (begin === undefined) continue;
    const guess = Math.floor((now + days * DAY_MS) / MINUTE_MS) * MINUTE_MS + (begin - then.minutes) * MINUTE_MS;
    // The clocks may change between now and then.
    return guess + (begin - wallClock(guess, site.time_zone).minutes) * MINUTE_MS;
  }
  return null;
}

/**
 * @param {number} now
 * @param {string} zone
 */
function wallClock(now, zone) {
  const shown = new Date(now + (offsetAt(zone, now) ?? 0) * MINUTE_MS);
  return {
    date: shown.toISOString().slice(0, 10),
    day: (shown.getUTCDay() + 6) % 7,
    minutes: shown.getUTCHours() * 60 + shown.getUTCMinutes(),
  };
}
