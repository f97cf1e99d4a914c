/**
 * The values of figures as texts. The server tells no number of a group under five (`few`), and none from which such a
 * number could be computed (`beside`): nobody can be recognised.
 */

import { t } from "../shared/i18n.js";

/**
 * @typedef {"few" | "beside"} Hidden
 * @typedef {number | Hidden | null} Value  null: there is no such figure
 * @typedef {{hidden?: Hidden | null} & Record<string, any>} Counts  numbers that the server shows or hides together
 * @typedef {"count" | "minutes" | "percent" | "days"} Unit  durations are in seconds, shown in minutes;
 *   below ten minutes with their seconds, since two short services differ by those
 */

const MINUTE = 60;
const SHORT = 600; // the server tells durations below it to 10 seconds, and longer ones less exactly

/** Return a short duration as "1:40". @param {number} seconds */
const withSeconds = (seconds) => `${Math.floor(seconds / MINUTE)}:${String(seconds % MINUTE).padStart(2, "0")}`;

/**
 * Return a value as a text with its unit.
 *
 * @param {Value | undefined} value
 * @param {Unit} unit
 */
export function valueText(value, unit) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "string") return t(`insights.${value}`);
  if (unit === "minutes" && value > 0 && value < SHORT) return t("insights.minutes", { n: withSeconds(value) });
  if (unit === "minutes") return t("insights.minutes", { n: Math.round(value / MINUTE) });
  return t(`insights.${unit}`, { n: plotted(value, unit) ?? 0 });
}

/**
 * Return a number of some counts, or how it is hidden.
 *
 * @param {Counts} counts
 * @param {string} field
 * @returns {Value}
 */
export const fieldOf = (counts, field) => counts.hidden ?? counts[field] ?? null;

/**
 * Return a value divided by a number, to one decimal place.
 *
 * @param {Value} value
 * @param {number} by
 * @returns {Value}
 */
export const quotient = (value, by) => (typeof value === "number" ? (by > 0 ? Math.round((10 * value) / by) / 10 : null) : value);

export const LEVELS = 4;

/**
 * Return the level of a number among numbers up to `most`: 0 for none, 4 for the most.
 *
 * @param {number | null} value
 * @param {number} most
 */
export const levelOf = (value, most) => (value === null || value <= 0 || most <= 0 ? 0 : Math.min(LEVELS, Math.ceil((LEVELS * value) / most)));

/**
 * Return a value as a chart draws it, in its unit, or null where there is nothing to draw.
 *
 * @param {Value | undefined} value
 * @param {Unit} unit
 */
export function plotted(value, unit) {
  if (typeof value !== "number") return null;
  return unit === "minutes" ? Math.round(value / 6) / 10 : value;
}

/**
 * Return a share with its numbers: "3 of 18 (17 %)". Without one of the numbers, there is no share.
 *
 * @param {Value} part
 * @param {Value} whole
 */
export function shareText(part, whole) {
  if (part === null || whole === null) return "–";
  if (typeof whole === "string") return valueText(whole, "count");
  const numbers = { part: valueText(part, "count"), whole: valueText(whole, "count") };
  if (typeof part !== "number" || whole === 0) return t("insights.of", numbers);
  return t("insights.share", { ...numbers, percent: Math.round((100 * part) / whole) });
}
