import { formatNumber, t } from "../shared/i18n.js";

/** @typedef {{expect_from: number | null, expect_until: number | null, estimating: boolean}} Quote  in milliseconds */

const MINUTE_MS = 60_000;

/**
 * Return the expected wait of a patient who comes now, as a range of minutes, or null without an estimate.
 *
 * @param {Pick<Quote, "expect_from" | "expect_until">} quote
 * @param {number} now  milliseconds
 * @returns {{from: number, until: number} | null}
 */
function rangeOf({ expect_from: first, expect_until: last }, now) {
  if (first == null || last == null) return null;
  const from = Math.max(0, Math.round((first - now) / MINUTE_MS));
  return { from, until: Math.max(from + 1, Math.ceil((last - now) / MINUTE_MS)) };
}

/**
 * Return the expected wait as a text, such as "10–20 min", or an empty text without an estimate.
 *
 * @param {Quote} quote
 * @param {number} now  the server's time, in milliseconds
 */
export function waitText(quote, now) {
  const range = rangeOf(quote, now);
  if (range === null) return "";
  const values = { from: formatNumber(range.from), until: formatNumber(range.until) };
  return t(quote.estimating ? "display.wait.estimating" : "display.wait", values);
}

/** Return how many patients wait, in words. @param {{waiting: number}} queue */
export const waitingText = ({ waiting }) => (waiting === 0 ? t("display.nobody") : t("display.waiting", { n: waiting }));
