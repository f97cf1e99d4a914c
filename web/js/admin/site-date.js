import { FORMATS, currentLanguage, offsetAt } from "../shared/i18n.js";
import { localAt } from "../shared/local-time.js";

/** @typedef {import("./context.js").Context} Context */

/** Return the date that the calendar of the site shows now: the business day may still be that of yesterday. @param {Context} context */
export function today(context) {
  const now = context.connection.now();
  return localAt(now, offsetAt(context.zone, now) ?? 0).slice(0, 10);
}

/**
 * Return the date of an instant with its year: "30 November 2026".
 *
 * @param {number} milliseconds
 * @param {string} zone
 * @param {string} [tag]  the page's language without it
 */
export function fullDateOf(milliseconds, zone, tag = currentLanguage()) {
  const offset = offsetAt(zone, milliseconds);
  const format = FORMATS[/** @type {keyof typeof FORMATS} */ (tag)] ?? tag;
  const local = milliseconds + (offset ?? 0) * 60_000;
  return new Intl.DateTimeFormat(format, { dateStyle: "long", timeZone: offset === undefined ? zone : "UTC" }).format(local);
}
