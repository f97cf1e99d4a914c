/**
 * Charts of numbers over hours or days, by uPlot. A series has a shape and a mark of its own, so that a reader needs no
 * colours: a full bar, a hatched bar, a line with full points, a broken line with hollow points, a dotted line without points.
 */

import { inkOf, keepDrawn, plottingLibrary } from "../desk/plotting.js";
import { element, setText } from "../shared/dom.js";
import { formatNumber, isRightToLeft } from "../shared/i18n.js";
import { plotted, valueText } from "./values.js";

/**
 * @typedef {import("./values.js").Value} Value
 * @typedef {import("./values.js").Unit} Unit
 * @typedef {"bar" | "hatched" | "line" | "broken" | "dotted"} Mark
 *
 * @typedef {object} Series
 * @property {string} name
 * @property {Mark} mark
 * @property {Value[]} values
 *
 * @typedef {object} Chart
 * @property {string} of        the heading of the labels
 * @property {string[]} labels
 * @property {Unit} unit
 * @property {Series[]} series
 */

const HEIGHT = 240;
const NARROWEST = 240;
const LABEL_PX = 64;
/** @type {Record<Mark, string>} */
const INKS = { bar: "--accent-ink", hatched: "--held", line: "--accent-ink", broken: "--held", dotted: "--text-quiet" };
const SVG = "http://www.w3.org/2000/svg";
const HATCH = 7;

/** Return whether a chart has a number to draw. @param {Chart} chart */
export const hasNumbers = ({ series, unit }) => series.some(({ values }) => values.some((value) => (plotted(value, unit) ?? 0) > 0));

/**
 * Return the drawing of a chart with its legend. A screen reader gets the table instead.
 *
 * @param {Chart} chart
 * @param {AbortSignal} signal  aborts when the chart goes
 */
export function drawing(chart, signal) {
  const room = element("div", { className: "chart" });
  const readout = element("p", { className: "chart-readout" });
  const box = element("div", { className: "chart-box", "aria-hidden": "true" }, legend(chart), room, readout);
  const seen = new IntersectionObserver((found) => found.some(({ isIntersecting }) => isIntersecting) && draw(), { rootMargin: "600px" });
  const draw = async () => {
    seen.disconnect();
    removeEventListener("beforeprint", draw);
    const uPlot = await plottingLibrary().catch(() => null); // the table has the same numbers
    if (uPlot === null || signal.aborted) return;
    const ink = inkOf(box);
    const data = [chart.labels.map((_, index) => index), ...chart.series.map(({ values }) => values.map((value) => plotted(value, chart.unit)))];
    keepDrawn(room, () => new uPlot(optionsOf(chart, uPlot, { ink, readout, width: room.clientWidth }), data, room), signal);
  };
  seen.observe(room);
  addEventListener("beforeprint", draw, { signal });
  signal.addEventListener("abort", () => seen.disconnect());
  return box;
}

/**
 * @param {Chart} chart
 * @param {any} uPlot
 * @param {{ink: (name: string) => string, readout: HTMLElement, width: number}} on
 */
function optionsOf({ labels, series, unit }, uPlot, { ink, readout, width }) {
  const rightToLeft = isRightToLeft();
  const font = "13px Inter, 'Noto Sans Arabic', sans-serif";
  const every = Math.ceil(labels.length / Math.max(2, Math.floor(width / LABEL_PX)));
  return {
    width: Math.max(NARROWEST, width),
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    hooks: {
      setCursor: [
        (/** @type {any} */ { cursor }) => {
          const at = cursor.idx;
          const told = at === null || at === undefined || cursor.left < 0 ? "" : [labels[at], ...series.map(({ name, values }) => `${name}: ${valueText(values[at], unit)}`)].join(" · ");
          setText(readout, told);
        },
      ],
    },
    scales: {
      x: { time: false, range: [-0.5, labels.length - 0.5], dir: rightToLeft ? -1 : 1 },
      y: { range: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ most) => (unit === "percent" ? [0, 100] : [0, Math.max(1, (most ?? 0) * 1.1)]) },
    },
    axes: [
      {
        stroke: ink("--text-quiet"),
        font,
        size: 36,
        gap: 12,
        grid: { show: false },
        ticks: { show: false },
        splits: () => labels.map((_, index) => index).filter((index) => index % every === 0),
        values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map((index) => labels[index] ?? ""),
      },
      {
        side: rightToLeft ? 1 : 3,
        stroke: ink("--text-quiet"),
        font,
        size: 52,
        grid: { stroke: ink("--hairline"), width: 1 },
        ticks: { show: false },
        incrs: unit === "percent" ? [25, 50] : [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000],
        values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map((each) => formatNumber(each)),
      },
    ],
    series: [{}, ...series.map(({ mark }) => styleOf(mark, uPlot, ink))],
  };
}

/**
 * @param {Mark} mark
 * @param {any} uPlot
 * @param {(name: string) => string} ink
 */
function styleOf(mark, uPlot, ink) {
  const stroke = ink(INKS[mark]);
  if (mark === "bar" || mark === "hatched") {
    const fill = mark === "bar" ? stroke : () => hatching(stroke);
    return { fill, stroke, width: mark === "bar" ? 0 : 1, points: { show: false }, paths: uPlot.paths.bars({ size: [0.6, 40] }) };
  }
  const points = { show: mark !== "dotted", size: 7, width: 2, stroke, fill: mark === "line" ? stroke : ink("--surface") };
  return { stroke, width: 2, dash: { line: undefined, broken: [8, 5], dotted: [2, 4] }[mark], points };
}

/** Return a pattern of slanted lines. @param {string} colour */
function hatching(colour) {
  const side = HATCH * devicePixelRatio;
  const tile = element("canvas", { width: side, height: side });
  const context = tile.getContext("2d");
  if (context === null) return colour;
  context.strokeStyle = colour;
  context.lineWidth = side / 4;
  context.beginPath();
  for (const shift of [-side, 0, side]) {
    context.moveTo(shift - 1, side + 1);
    context.lineTo(shift + side + 1, -1);
  }
  context.stroke();
  return context.createPattern(tile, "repeat") ?? colour;
}

/** @param {Chart} chart */
function legend({ series }) {
  const rows = series.map(({ name, mark }) => element("li", {}, swatch(mark), name));
  return element("ul", { className: "chart-legend" }, ...rows);
}

/** Return a sample of a series: its shape, beside its name. @param {Mark} mark */
function swatch(mark) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 32 16");
  svg.setAttribute("class", `swatch is-${mark}`);
  const add = (/** @type {string} */ tag, /** @type {Record<string, number | string>} */ values) => {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(values)) made.setAttribute(name, String(value));
    svg.append(made);
  };
  if (mark === "bar" || mark === "hatched") add("rect", { x: 6, y: 1, width: 20, height: 14 });
  if (mark === "hatched") add("path", { d: "M6 11 16 1M6 15 20 1M11 15 25 1M16 15 26 5M21 15 26 10" });
  if (mark === "line" || mark === "broken" || mark === "dotted") add("line", { x1: 0, y1: 8, x2: 32, y2: 8 });
  if (mark === "line" || mark === "broken") add("circle", { cx: 16, cy: 8, r: 4 });
  return svg;
}
