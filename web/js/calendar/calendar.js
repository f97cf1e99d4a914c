/** The calendar, made from its cells: columns with their appointments. Pure functions. */

import { appointmentsOf } from "../desk/appointments.js";
import { allOf, byPosition } from "../live/cells.js";
import { nameIn, named } from "../shared/i18n.js";
import { axisOf } from "./grid.js";

/**
 * @typedef {import("../live/cells.js").Cells} Cells
 * @typedef {import("./grid.js").Day} Day
 * @typedef {import("./grid.js").Axis} Axis
 * @typedef {import("../desk/appointments.js").Appointment} Appointment
 *
 * @typedef {object} Calendar
 * @property {import("../live/cells.js").Site | null} site
 * @property {{id: number, name: string}[]} services
 * @property {{id: number, name: string}[]} providers
 * @property {Map<number, string>} points
 * @property {Day[]} days
 * @property {Appointment[]} appointments  by time
 *
 * @typedef {object} Column
 * @property {string} key
 * @property {Day} day
 * @property {number | null} provider
 * @property {string} title
 * @property {Appointment[]} appointments
 */

/**
 * Return the calendar that the cells describe.
 *
 * @param {Cells} cells
 * @returns {Calendar}
 */
export function calendarOf(cells) {
  const services = /** @type {(import("../live/cells.js").DeskService & {id: number})[]} */ (allOf(cells, "service")).sort(byPosition);
  const providers = /** @type {(import("../live/cells.js").DeskProvider & {id: number})[]} */ (allOf(cells, "provider")).sort(byPosition);
  const points = /** @type {(import("../live/cells.js").CalendarPoint & {id: number})[]} */ (allOf(cells, "point"));
  const days = [];
  for (const [key, cell] of cells) if (key.startsWith("day:")) days.push({ .../** @type {import("../live/cells.js").CalendarDay} */ (cell), date: key.slice(4) });
  return {
    site: cells.get("site") ?? null,
    services: services.map(({ id, name, public_name: known, names }) => ({ id, name: name ?? nameIn(known, names) })),
    providers: providers.map(({ id, name }) => ({ id, name })),
    points: new Map(points.map(named).map(({ id, name }) => [id, name])),
    days: days.sort((one, other) => one.begin.at - other.begin.at),
    appointments: appointmentsOf(cells),
  };
}

/**
 * Return the columns: of one day, one for each provider who works or has appointments; of several days, one for each day of
 * one provider.
 *
 * @param {Calendar} calendar
 * @param {{provider: number | null, dayName: (date: string) => string}} look  `provider`: null for all
 * @returns {{columns: Column[], axis: Axis}}
 */
export function columnsOf({ days, providers, appointments }, { provider, dayName }) {
  const shown = provider === null ? appointments : appointments.filter((each) => each.provider === provider);
  const [first] = days;
  /** @type {Column[]} */
  let columns = [];
  if (days.length === 1 && first !== undefined) {
    const busy = new Set([...appointments, ...(first.open_times ?? [])].map((each) => each.provider));
    const gone = [...busy].filter((id) => providers.every((each) => each.id !== id)).map((id) => ({ id, name: "\u2013" }));
    const offered = [...providers, ...gone].filter(({ id }) => (provider === null ? busy.has(id) : id === provider));
    columns = (offered.length > 0 ? offered : providers).map(({ id, name }) => ({
      key: `${first.date} ${id}`,
      day: first,
      provider: id,
      title: name,
      appointments: shown.filter((each) => each.provider === id),
    }));
  } else {
    columns = days.map((day) => ({
      key: `${day.date} ${provider}`,
      day,
      provider,
      title: dayName(day.date),
      appointments: shown.filter(({ local_start: local }) => local.startsWith(day.date)),
    }));
  }
  const open = days.map((day) => ({ ...day, open_times: (day.open_times ?? []).filter((each) => provider === null || each.provider === provider) }));
  return { columns, axis: axisOf(open, shown) };
}
