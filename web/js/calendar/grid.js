/**
 * The geometry of the calendar: elapsed minutes from the top of a day's column, read by the site's clock. On a day on which
 * the clocks change, an hour is missing or comes twice, and the column is as long as the day. Pure functions.
 */

import { dateAfter, localAt, offsetName, readingOf, timeAt } from "../shared/local-time.js";

/**
 * @typedef {import("../live/cells.js").Edge} Edge
 * @typedef {import("../live/cells.js").OpenTimeOfDay} OpenTime
 * @typedef {import("../live/cells.js").CalendarDay & {date: string}} Day
 * @typedef {import("../desk/appointments.js").Appointment} Appointment
 * @typedef {{from: number, until: number}} Axis  the hours that the calendar shows, in minutes of the clock
 * @typedef {{appointment: Appointment, lane: number, lanes: number}} Placed  side by side with others of the same time
 */

const MINUTE_MS = 60_000;
const HOUR = 60;
const DAY = 24 * HOUR;
const USUAL = { from: 8 * HOUR, until: 18 * HOUR };
const COARSE_MINUTES = 15;

/**
 * Return the offset of the site's clock at an instant of a day, in minutes.
 *
 * @param {Pick<Day, "begin" | "turn">} day
 * @param {number} instant
 */
export const offsetAt = ({ begin, turn }, instant) => (turn !== null && instant >= turn.at ? turn : begin).offset_minutes;

/**
 * Return the first instant of a day at which its clock shows so many minutes, or more.
 *
 * @param {Pick<Day, "date" | "begin" | "turn">} day
 * @param {number} minutes  of the clock
 */
export function instantAt({ date, begin, turn }, minutes) {
  const reading = readingOf(`${date}T00:00`) + minutes * MINUTE_MS;
  const before = reading - begin.offset_minutes * MINUTE_MS;
  if (turn === null || before < turn.at) return before;
  return Math.max(turn.at, reading - turn.offset_minutes * MINUTE_MS);
}

/**
 * Return the hours to show: from the first to the last one with an open time or an appointment.
 *
 * @param {readonly Day[]} days
 * @param {readonly Appointment[]} appointments
 * @returns {Axis}
 */
export function axisOf(days, appointments) {
  const times = days.flatMap(({ date, open_times: open }) => (open ?? []).map(({ begin, end }) => [minutesIn(date, begin.local), minutesIn(date, end.local)]));
  for (const { local_start: local, minutes } of appointments) {
    const from = minutesIn(local.slice(0, 10), local);
    times.push([from, Math.min(DAY, from + minutes)]);
  }
  if (times.length === 0) return USUAL;
  const from = Math.floor(Math.min(...times.map(([begin = 0]) => begin)) / HOUR) * HOUR;
  const until = Math.ceil(Math.max(...times.map(([, end = DAY]) => end)) / HOUR) * HOUR;
  return { from, until: Math.max(until, from + HOUR) };
}

/**
 * Return the minutes of the clock from the begin of a date to a local time.
 *
 * @param {string} date
 * @param {string} local
 */
const minutesIn = (date, local) => (readingOf(local) - readingOf(`${date}T00:00`)) / MINUTE_MS;

/**
 * Return the elapsed minutes from the top of a day's column to an instant.
 *
 * @param {Day} day
 * @param {Axis} axis
 * @param {number} instant
 */
export const topOf = (day, { from }, instant) => (instant - instantAt(day, from)) / MINUTE_MS;

/**
 * Return the elapsed minutes that a day's column shows.
 *
 * @param {Day} day
 * @param {Axis} axis
 */
export const heightOf = (day, { from, until }) => (instantAt(day, until) - instantAt(day, from)) / MINUTE_MS;

/**
 * Return whether the clocks change in the hours that a day's column shows: the column then has hours of its own.
 *
 * @param {Day} day
 * @param {Axis} axis
 */
export const turnsIn = (day, { from, until }) => day.turn !== null && day.turn.at > instantAt(day, from) && day.turn.at < instantAt(day, until);

/**
 * Return the full hours of a day's column, each at its place. Two equal hours have their offsets.
 *
 * @param {Day} day
 * @param {Axis} axis
 * @returns {{top: number, label: string}[]}
 */
export function hoursOf(day, axis) {
  const turns = turnsIn(day, axis);
  /** @type {{top: number, label: string, offset: number}[]} */
  const found = [];
  const begin = instantAt(day, axis.from);
  for (let top = 0; top < heightOf(day, axis); top += HOUR) {
    const instant = begin + top * MINUTE_MS;
    const offset = offsetAt(day, instant);
    found.push({ top, label: timeAt(instant, offset), offset });
  }
  return found.map(({ top, label, offset }, index) => {
    const again = turns && found.some((other, at) => at !== index && other.label === label);
    return { top, label: again ? `${label} ${offsetName(offset)}` : label };
  });
}

/**
 * Return the appointments of one column, each with its place beside others of the same time.
 *
 * @param {readonly Appointment[]} appointments  by time
 * @returns {Placed[]}
 */
export function placed(appointments) {
  /** @type {Placed[]} */
  const all = [];
  /** @type {Placed[]} */
  let group = [];
  let until = -Infinity;
  /** @type {number[]} */
  let ends = [];
  const close = () => {
    for (const each of group) each.lanes = ends.length;
    group = [];
    ends = [];
  };
  for (const appointment of appointments) {
    if (appointment.starts >= until) close();
    let lane = ends.findIndex((end) => end <= appointment.starts);
    if (lane < 0) lane = ends.length;
    ends[lane] = appointment.ends;
    until = Math.max(until === -Infinity ? 0 : until, appointment.ends);
    const made = { appointment, lane, lanes: 1 };
    group.push(made);
    all.push(made);
  }
  close();
  return all;
}

/**
 * Return the start that a drop near an instant means: on the grid of the open time there, else on a quarter of an hour. The
 * server decides whether it is free.
 *
 * @param {Day} day
 * @param {number | null} provider
 * @param {number} instant
 * @returns {{local_start: string, fold: number, instant: number}}
 */
export function snapped(day, provider, instant) {
  const open = (day.open_times ?? []).find((each) => each.provider === provider && instant >= each.begin.at && instant < each.end.at);
  const stepMs = (open?.slot_minutes ?? COARSE_MINUTES) * MINUTE_MS;
  const origin = open?.begin.at ?? day.begin.at;
  const at = origin + Math.floor((instant - origin) / stepMs) * stepMs;
  return { local_start: localAt(at, offsetAt(day, at)), fold: foldAt(day, at), instant: at };
}

/**
 * Return 1 for an instant whose local time was there before, when the clocks go back, else 0.
 *
 * @param {Day} day
 * @param {number} instant
 */
function foldAt({ begin, turn }, instant) {
  if (turn === null || instant < turn.at) return 0;
  const gainedMs = (begin.offset_minutes - turn.offset_minutes) * MINUTE_MS;
  return instant < turn.at + gainedMs ? 1 : 0;
}

/**
 * Return the first date to show: the date itself, or the Monday of its week.
 *
 * @param {string} date
 * @param {number} days  1 or 7
 */
export function firstDate(date, days) {
  const weekday = (new Date(`${date}T00:00Z`).getUTCDay() + 6) % 7;
  return days === 1 ? date : dateAfter(date, -weekday);
}
