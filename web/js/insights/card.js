/** A card: one question of a manager, with its figures, its chart or table, their definitions and the export. */

import { element } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { drawing, hasNumbers } from "./chart.js";
import { definitionButton } from "./definitions.js";
import { heatMap, tableOf } from "./tables.js";
import { valueText } from "./values.js";

/**
 * @typedef {object} Tile  one figure
 * @property {string} name
 * @property {string} definition
 * @property {string} value
 * @property {string | null} [before]  the same figure of the period before
 *
 * @typedef {object} Plot
 * @property {string} title
 * @property {string} definition
 * @property {import("./chart.js").Chart} chart
 * @property {{name: string, cells: string[]}[]} [more]  columns that the table has besides
 *
 * @typedef {object} Card
 * @property {string} id
 * @property {string} title
 * @property {string} lead
 * @property {Tile[]} tiles
 * @property {Plot[]} [plots]
 * @property {{title: string, definition: string, heat: import("./tables.js").Heat, note?: string}} [heat]
 * @property {import("./tables.js").Table[]} [tables]
 * @property {string} [none]   why there is nothing to show
 * @property {string} [csv]    the address of the export
 */

/**
 * Return the element of a card.
 *
 * @param {Card} card
 * @param {AbortSignal} signal  aborts when the card goes
 */
export function cardElement(card, signal) {
  const heading = element("h2", { id: `card-${card.id}-title` }, card.title);
  const head = element("header", { className: "card-head" }, heading);
  if (card.csv !== undefined) head.append(element("a", { className: "button is-quiet card-export", href: card.csv, download: "", "aria-label": t("insights.csv.name", { name: card.title }) }, t("insights.csv")));
  const section = element("section", { className: "card", id: card.id, "aria-labelledby": heading.id, tabIndex: -1 }, head, element("p", { className: "card-lead" }, card.lead));
  if (card.none !== undefined) section.append(element("p", { className: "card-none" }, card.none));
  if (card.tiles.length > 0) section.append(element("dl", { className: "tiles" }, ...card.tiles.map(tileElement)));
  for (const plot of card.plots ?? []) section.append(plotElement(plot, signal));
  if (card.heat !== undefined) {
    const { title, definition, heat, note } = card.heat;
    section.append(element("div", { className: "plot" }, titleOf(title, definition), heatMap(heat), ...noteOf(note)));
  }
  for (const table of card.tables ?? []) section.append(element("div", { className: "plot" }, element("h3", {}, table.caption), tableOf(table, t("insights.pair", { one: card.title, other: table.caption }))));
  return section;
}

/** @param {string} title @param {string} definition */
const titleOf = (title, definition) => element("div", { className: "plot-title" }, element("h3", {}, title), definitionButton(title, definition));

/** @param {string | undefined} note */
const noteOf = (note) => (note === undefined || note === "" ? [] : [element("p", { className: "field-hint" }, note)]);

/** @param {Tile} tile */
function tileElement({ name, definition, value, before }) {
  const told = before == null ? [] : [element("dd", { className: "tile-before" }, t("insights.before", { value: before }))];
  return element("div", { className: "tile" }, element("dt", {}, name, definitionButton(name, definition)), element("dd", { className: "tile-value" }, value), ...told);
}

/**
 * A chart with a button that shows the same numbers as a table. A screen reader always has the table.
 *
 * @param {Plot} plot
 * @param {AbortSignal} signal
 */
function plotElement({ title, definition, chart, more = [] }, signal) {
  const head = titleOf(title, definition);
  const columns = [{ name: chart.of }, ...chart.series.map(({ name }) => ({ name })), ...more];
  const rows = chart.labels.map((label, index) => [label, ...chart.series.map(({ values }) => valueText(values[index], chart.unit)), ...more.map(({ cells }) => cells[index] ?? "")]);
  const table = tableOf({ caption: title, columns, rows });
  if (!hasNumbers(chart)) return element("div", { className: "plot" }, head, element("p", { className: "card-none" }, t("insights.none")));
  const box = drawing(chart, signal);
  const button = element("button", { className: "button is-quiet plot-toggle", type: "button", "aria-pressed": "false", "aria-label": t("insights.table.name", { name: title }) }, t("insights.table"));
  const hasGap = chart.series.some(({ values }) => values.some((value) => typeof value !== "number"));
  const plot = element("div", { className: "plot has-chart" }, head, box, table, ...noteOf(hasGap ? t("insights.gap") : undefined));
  const turn = (/** @type {boolean} */ asTable) => {
    plot.dataset.as = asTable ? "table" : "chart";
    table.classList.toggle("hidden", !asTable);
    table.tabIndex = asTable ? 0 : -1; // a hidden table scrolls nowhere
    button.setAttribute("aria-pressed", String(asTable));
  };
  button.addEventListener("click", () => turn(plot.dataset.as !== "table"));
  head.append(button);
  turn(false);
  return plot;
}
