/** The answers of patients after their visits, by week and without names. */

import { element } from "../shared/dom.js";
import { currentLanguage, formatNumber, t } from "../shared/i18n.js";
import { barChart } from "./chart.js";

/**
 * @typedef {import("./context.js").Context} Context
 * @typedef {{first_day: string, answers: number | null, scores: number[] | null, texts: string[]}} Week
 */

const WEEKS = 12;
const DAY_MS = 24 * 3600_000;

/**
 * Append the answers of the last twelve weeks that are over, if there are any.
 *
 * @param {HTMLElement} root
 * @param {Context} context
 * @param {number} today  the business day, in milliseconds of UTC
 */
export async function showFeedback(root, context, today) {
  const dayAt = (/** @type {number} */ days) => new Date(today - days * DAY_MS).toISOString().slice(0, 10);
  const query = new URLSearchParams({ from: dayAt(7 * (WEEKS + 1) - 1), to: dayAt(0) });
  /** @type {Week[]} */
  const weeks = (await context.ask(`/api/v1/sites/${context.site.id}/feedback?${query}`)).weeks;
  if (weeks.length === 0) return;
  const format = new Intl.DateTimeFormat(currentLanguage() === "en" ? "en-GB" : currentLanguage(), { day: "numeric", month: "short", timeZone: "UTC" });
  const labels = weeks.map((week) => format.format(Date.parse(week.first_day)));
  const chart = await barChart({ title: t("admin.figures.feedback"), of: t("admin.figures.week"), labels, values: weeks.map(meanOf) }, context.signal);
  const counts = weeks.map(({ answers }, index) => element("li", {}, t("admin.figures.answers", { week: labels[index] ?? "", n: answers === null ? t("admin.figures.few") : formatNumber(answers) })));
  chart.append(element("p", { className: "field-hint" }, t("admin.figures.feedback.hint")), element("ul", {}, ...counts), ...textsOf(weeks, labels));
  root.append(chart);
}

/** Return the mean score of a week, or null for too few answers. @param {Week} week */
function meanOf({ answers, scores }) {
  if (answers === null || scores === null) return null;
  const sum = scores.reduce((total, count, index) => total + count * (index + 1), 0);
  return Math.round((10 * sum) / answers) / 10;
}

/**
 * @param {Week[]} weeks
 * @param {string[]} labels
 */
function textsOf(weeks, labels) {
  return weeks.flatMap(({ texts }, index) => {
    if (texts.length === 0) return [];
    const items = texts.map((text) => element("li", {}, element("bdi", {}, text)));
    return [element("details", { className: "chart-table" }, element("summary", {}, t("admin.figures.texts", { week: labels[index] ?? "" })), element("ul", {}, ...items))];
  });
}
