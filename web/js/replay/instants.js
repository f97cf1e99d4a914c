/** Local times of a site and their instants. Pure functions; the offsets are those that the server has told. */

import { readingOf } from "../shared/local-time.js";

/** @typedef {import("../shared/i18n.js").OffsetSince} OffsetSince */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/**
 * Return the instants at which the site's clock shows a local time: two when the clocks go back, none in the gap when they
 * go forward.
 *
 * @param {string} local  YYYY-MM-DDTHH:MM, with or without seconds
 * @param {readonly OffsetSince[]} offsets  by time
 * @returns {{at: number, minutes: number}[]}
 */
export function instantsOf(local, offsets) {
  const reading = readingOf(local);
  const minutes = [...new Set(offsets.map((each) => each.minutes))];
  return minutes
    .map((each) => ({ at: reading - each * MINUTE_MS, minutes: each }))
    .filter(({ at, minutes: each }) => offsets.findLast(({ since }) => since <= at)?.minutes === each)
    .sort((one, other) => one.at - other.at);
}

/**
 * Return the offset of a zone at about a local time, as the browser knows it: a first guess, before the server has told.
 *
 * @param {string} local
 * @param {string} zone
 */
export function guessedOffset(local, zone) {
  const reading = readingOf(local);
  const parts = new Intl.DateTimeFormat("en-GB", { timeZone: zone, timeZoneName: "longOffset" }).formatToParts(reading);
  const found = /([+-])(\d\d):(\d\d)/.exec(parts.find(({ type }) => type === "timeZoneName")?.value ?? "");
  if (found === null) return 0;
  return (found[1] === "-" ? -1 : 1) * (Number(found[2]) * 60 + Number(found[3]));
}

/**
 * Return an instant with its offset, as the server reads it: 2026-11-30T10:42:00+01:00.
 *
 * @param {number} at
 * @param {number} minutes  the offset
 */
export function withOffset(at, minutes) {
  const local = new Date(at + minutes * MINUTE_MS).toISOString().slice(0, 19);
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const size = Math.abs(minutes);
  return `${local}${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/**
 * Return the offsets of a zone around a date, as the browser knows them: until the server has told its own.
 *
 * @param {string} date  YYYY-MM-DD
 * @param {string} zone
 * @returns {OffsetSince[]}
 */
export function browserOffsets(date, zone) {
  const noon = readingOf(`${date}T12:00`);
  const offset = (/** @type {number} */ at) => guessedOffset(new Date(at).toISOString().slice(0, 16), zone);
  const found = [{ since: noon - 48 * HOUR_MS, minutes: offset(noon - 48 * HOUR_MS) }];
  for (let at = noon - 47 * HOUR_MS; at <= noon + 48 * HOUR_MS; at += HOUR_MS) {
    const minutes = offset(at);
    if (minutes === found.at(-1)?.minutes) continue;
    let [before, after] = [at - HOUR_MS, at];
    while (after - before > MINUTE_MS) {
      const middle = Math.floor((before + after) / 2 / MINUTE_MS) * MINUTE_MS;
      if (offset(middle) === minutes) after = middle;
      else before = middle;
    }
    found.push({ since: after, minutes });
  }
  return found;
}

/**
 * Return the instant of a local time: of two, the first or the last one. Null in the gap when the clocks go forward.
 *
 * @param {string} local
 * @param {readonly OffsetSince[]} offsets
 * @param {"first" | "last"} which
 */
export function instantOf(local, offsets, which) {
  const found = instantsOf(local, offsets);
  return (which === "first" ? found[0] : found.at(-1)) ?? null;
}
