/** The section of figures: charts of the last thirty days, each with a table. */

import { element } from "../shared/dom.js";
import { currentLanguage, t } from "../shared/i18n.js";
import { barChart } from "./chart.js";
import { showFeedback } from "./feedback-figures.js";
import { showMessageFigures } from "./message-figures.js";
import { today } from "./site-date.js";

/**
 * @typedef {import("./context.js").Context} Context
 * @typedef {{tickets: number, wait: {median_seconds: number | null}}} Figures
 */

const DAYS = 30;
const DAY_MS = 24 * 3600_000;

/**
 * @param {HTMLElement} root
 * @param {Context} context
 */
export async function open(root, context) {
  await context.loaded(); // after midnight, the business day is still that of yesterday
  const businessDay = Date.parse(context.cells.get("site")?.business_day ?? "");
  const days = Array.from({ length: DAYS }, (_, index) => new Date(businessDay - (DAYS - 1 - index) * DAY_MS).toISOString().slice(0, 10));
  const query = new URLSearchParams({ from: days[0] ?? "", to: days.at(-1) ?? "" });
  const found = await context.ask(`/api/v1/sites/${context.site.id}/statistics?${query}`);
  if (found.figures.tickets === 0) root.append(element("p", { className: "records-empty" }, t("admin.figures.empty")));
  else await showTickets(root, context, days, found);
  query.set("to", today(context)); // a message belongs to the calendar's day
  await showMessageFigures(root, context, query);
  await showFeedback(root, context, businessDay);
}

/**
 * Append the charts of tickets and waits.
 *
 * @param {HTMLElement} root
 * @param {Context} context
 * @param {string[]} days
 * @param {any} found  the statistics of these days
 */
async function showTickets(root, context, days, found) {
  /** @type {Map<string, Figures>} */
  const byDay = new Map(found.days.map((/** @type {any} */ each) => [each.business_day, each.figures]));
  const format = new Intl.DateTimeFormat(currentLanguage() === "en" ? "en-GB" : currentLanguage(), { day: "numeric", month: "short", timeZone: "UTC" });
  const labels = days.map((day) => format.format(Date.parse(day)));
  const waits = days.map((day) => {
    const seconds = byDay.get(day)?.wait.median_seconds;
    return seconds == null ? null : Math.round(seconds / 60);
  });
  /** @type {Map<number, number>} */
  const byHour = new Map(found.hours.map((/** @type {any} */ each) => [each.hour, each.arrivals]));
  const hours = Array.from({ length: 24 }, (_, hour) => hour);
  for (const chart of [
    { title: t("admin.figures.tickets"), of: t("admin.figures.day"), labels, values: days.map((day) => byDay.get(day)?.tickets ?? 0) },
    { title: t("admin.figures.waits"), of: t("admin.figures.day"), labels, values: waits },
    { title: t("admin.figures.hours"), of: t("admin.figures.hour"), labels: hours.map(String), values: hours.map((hour) => byHour.get(hour) ?? 0) },
  ]) {
    root.append(await barChart(chart, context.signal));
  }
}
