import { offsetAt } from "../shared/i18n.js";
import { localAt } from "../shared/local-time.js";

/** @typedef {import("./context.js").Context} Context */

/** Return the date that the calendar of the site shows now: the business day may still be that of yesterday. @param {Context} context */
export function today(context) {
  const now = context.connection.now();
  return localAt(now, offsetAt(context.zone, now) ?? 0).slice(0, 10);
}
