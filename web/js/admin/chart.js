/** Charts of a number over time: bars by uPlot, and the same numbers as a table. */

import { inkOf, keepDrawn, plottingLibrary } from "../desk/plotting.js";
import { element } from "../shared/dom.js";
import { formatNumber, isRightToLeft, t } from "../shared/i18n.js";

const HEIGHT = 220;

/**
 * @typedef {object} Chart
 * @property {string} title
 * @property {string} of      the heading of the labels
 * @property {string[]} labels
 * @property {(number | null)[]} values  null where there is no number
 */

/**
 * Return a chart with its heading and its table. The bars have one colour, and the table has every number.
 *
 * @param {Chart} chart
 * @param {AbortSignal} signal  aborts when the chart goes
 * @returns {Promise<HTMLElement>}
 */
export async function barChart({ title, of, labels, values }, signal) {
  const heading = element("h2", {}, title);
  if (values.every((value) => value === null)) {
    return element("section", { className: "group", "aria-label": title }, heading, element("p", { className: "records-empty" }, t("admin.figures.none")));
  }
  const uPlot = await plottingLibrary();
  const room = element("div", { className: "chart" });
  room.setAttribute("aria-hidden", "true"); // the table says the same
  const section = element("section", { className: "group", "aria-label": title }, heading, room, tableOf(title, of, labels, values));
  const ink = inkOf(section);
  const font = "13px Inter, sans-serif";
  const options = () => ({
    width: Math.max(240, room.clientWidth),
    height: HEIGHT,
    cursor: { show: false },
    legend: { show: false },
    scales: { x: { time: false, range: [-0.5, labels.length - 0.5], dir: isRightToLeft() ? -1 : 1 }, y: { range: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ most) => [0, Math.max(1, most * 1.1)] } },
    axes: [
      {
        stroke: ink("--text-quiet"),
        font,
        size: 36,
        gap: 12, // below the lowest label of the other axis
        grid: { show: false },
        ticks: { show: false },
        splits: () => labels.map((_, index) => index).filter((index) => index % Math.ceil(labels.length / Math.max(2, Math.floor(room.clientWidth / 72))) === 0),
        values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map((index) => labels[index] ?? ""),
      },
      {
        side: isRightToLeft() ? 1 : 3,
        stroke: ink("--text-quiet"),
        font,
        size: 48,
        grid: { stroke: ink("--hairline"), width: 1 },
        ticks: { show: false },
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000],
        values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map((each) => formatNumber(each)),
      },
    ],
    series: [{}, { fill: ink("--accent-ink"), stroke: ink("--accent-ink"), width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.6, 40], radius: 0.15 }) }],
  });
  const data = [labels.map((_, index) => index), values];
  keepDrawn(room, () => new uPlot(options(), data, room), signal);
  return section;
}

/** @param {string} title @param {string} of @param {string[]} labels @param {(number | null)[]} values */
function tableOf(title, of, labels, values) {
  const rows = labels.map((label, index) => {
    const value = values[index];
    return element("tr", {}, element("th", { scope: "row" }, label), element("td", {}, value == null ? "–" : formatNumber(value)));
  });
  return element(
    "details",
    { className: "chart-table" },
    element("summary", {}, t("admin.figures.table")),
    element(
      "table",
      { className: "table" },
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, of), element("th", { scope: "col" }, title))),
      element("tbody", {}, ...rows),
    ),
  );
}
