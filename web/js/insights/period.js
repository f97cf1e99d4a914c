/** The choice of a period, and the period that it is compared with. All dates are business days of the site. */

import { dateAfter } from "../shared/local-time.js";

/**
 * @typedef {"today" | "week" | "month" | "last-month" | "own"} Kind
 * @typedef {{from: string, to: string}} Span  the first and the last business day
 *
 * @typedef {object} Choice
 * @property {Kind} kind
 * @property {Span | null} own       the dates of the kind `own`
 * @property {boolean} compared      show the period before, too
 * @property {number | null} service  the figures of one service, queue or provider alone: at most one of them
 * @property {number | null} queue
 * @property {string | null} sites    several sites beside each other: `all`, or ids with commas; null: the one chosen site
 * @property {number | null} provider
 */

/** @type {readonly Kind[]} */
export const KINDS = ["today", "week", "month", "last-month", "own"];
export const MOST_DAYS = 400;

const SITES = /^(all|[0-9]+(,[0-9]+){0,4})$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const DAY_MS = 24 * 3600_000;
const WEEK = 7;

/** Return whether a text is a date of the calendar. @param {string | null} text */
const isDate = (text) => text !== null && DATE.test(text) && new Date(Date.parse(`${text}T00:00Z`) || 0).toISOString().startsWith(text);

/** Return the number of days of a span. @param {Span} span */
export const daysOf = ({ from, to }) => Math.round((Date.parse(to) - Date.parse(from)) / DAY_MS) + 1;

/**
 * Return the date some months after the first day of a date's month.
 *
 * @param {string} date
 * @param {number} months
 */
function monthStart(date, months) {
  const [year, month] = date.split("-").map(Number);
  return new Date(Date.UTC(year ?? 0, (month ?? 1) - 1 + months, 1)).toISOString().slice(0, 10);
}

/**
 * Return the days of a choice.
 *
 * @param {Choice} choice
 * @param {string} today  the present business day
 * @returns {Span}
 */
export function spanOf({ kind, own }, today) {
  switch (kind) {
    case "today":
      return { from: today, to: today };
    case "month":
      return { from: monthStart(today, 0), to: today };
    case "last-month":
      return { from: monthStart(today, -1), to: dateAfter(monthStart(today, 0), -1) };
    case "own":
      if (own !== null) return own;
  }
  return { from: dateAfter(today, 1 - WEEK), to: today };
}

/**
 * Return the days before a span, to compare with. A single day is compared with the same weekday of the week before, a
 * month with the same days of the month before, and any other span with as many days directly before it.
 *
 * @param {Span} span
 * @param {Kind} kind
 * @returns {Span}
 */
export function spanBefore(span, kind) {
  const days = daysOf(span);
  if (days === 1) return { from: dateAfter(span.from, -WEEK), to: dateAfter(span.to, -WEEK) };
  if (kind === "last-month") return { from: monthStart(span.from, -1), to: dateAfter(span.from, -1) };
  if (kind === "month") {
    const from = monthStart(span.from, -1);
    const [last, same] = [dateAfter(span.from, -1), dateAfter(from, days - 1)];
    return { from, to: same < last ? same : last };
  }
  return { from: dateAfter(span.from, -days), to: dateAfter(span.to, -days) };
}

/**
 * Return the name of a problem of own dates, or null: `missing`, `order`, `long` or `future`.
 *
 * @param {string} from
 * @param {string} to
 * @param {string} today
 */
export function problemOf(from, to, today) {
  if (!isDate(from) || !isDate(to)) return "missing";
  if (from > to) return "order";
  if (to > today) return "future";
  return daysOf({ from, to }) > MOST_DAYS ? "long" : null;
}

/**
 * Return the choice in a page's address. Without one, it is the last seven days.
 *
 * @param {string} search
 * @returns {Choice}
 */
export function readChoice(search) {
  const asked = new URLSearchParams(search);
  const number = (/** @type {string} */ name) => Number(asked.get(name)) || null;
  const [from, to] = [asked.get("from") ?? "", asked.get("to") ?? ""];
  const own = isDate(from) && isDate(to) && from <= to && daysOf({ from, to }) <= MOST_DAYS ? { from, to } : null;
  const found = KINDS.find((kind) => kind === asked.get("period")) ?? "week";
  const kind = found === "own" && own === null ? "week" : found;
  return { kind, own: kind === "own" ? own : null, compared: asked.get("compare") === "1", service: number("service"), queue: number("queue"), provider: number("provider"), sites: SITES.test(asked.get("sites") ?? "") ? asked.get("sites") : null };
}

/**
 * Return an address with a choice, for a reload and for a colleague.
 *
 * @param {string} href
 * @param {Choice} choice
 */
export function withChoice(href, { kind, own, compared, service, queue, provider, sites }) {
  const address = new URL(href);
  const values = { period: kind === "week" ? null : kind, from: own?.from, to: own?.to, compare: compared ? "1" : null, service, queue, provider, sites };
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined) address.searchParams.delete(name);
    else address.searchParams.set(name, String(value));
  }
  return address.href;
}
