/** Tables of figures. A wide table scrolls in a room of its own. */

import { element } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { definitionButton } from "./definitions.js";
import { LEVELS } from "./values.js";

/**
 * @typedef {object} Column
 * @property {string} name
 * @property {string} [definition]
 *
 * @typedef {object} Table
 * @property {string} caption
 * @property {Column[]} columns  the first one names the rows
 * @property {string[][]} rows
 * @property {string[]} [meanings]  the definitions of the rows
 */

/**
 * Return a table in its room.
 *
 * @param {Table} table
 * @param {string} [name]  tells the table apart from others of the page; its caption without it
 */
export function tableOf({ caption, columns, rows, meanings = [] }, name = caption) {
  const heading = (/** @type {string} */ scope, /** @type {string} */ name, /** @type {string | undefined} */ definition) =>
    element("th", { scope }, name, ...(definition === undefined ? [] : [definitionButton(name, definition)]));
  const heads = columns.map(({ name, definition }) => heading("col", name, definition));
  const body = rows.map(([first = "", ...cells], index) => element("tr", {}, heading("row", first, meanings[index]), ...cells.map((cell) => element("td", {}, cell))));
  const table = element("table", { className: "table" }, element("caption", { className: "hidden" }, caption), element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...body));
  return element("div", { className: "table-room", tabIndex: 0, role: "region", "aria-label": name }, table);
}

/**
 * @typedef {object} Heat
 * @property {string} caption
 * @property {string} of             the heading of the rows
 * @property {string[]} columns
 * @property {{name: string, cells: {text: string, level: number}[]}[]} rows  `level`: 0 to 4
 */

/**
 * Return a heat map: a table whose cells have their number, and a stronger ground for a larger one.
 *
 * @param {Heat} heat
 */
export function heatMap({ caption, of, columns, rows }) {
  const head = element("tr", {}, element("th", { scope: "col" }, of), ...columns.map((name) => element("th", { scope: "col" }, name)));
  const body = rows.map(({ name, cells }) =>
    element("tr", {}, element("th", { scope: "row" }, name), ...cells.map(({ text, level }) => element("td", { "data-level": level }, text))),
  );
  const table = element("table", { className: "table heat" }, element("caption", { className: "hidden" }, caption), element("thead", {}, head), element("tbody", {}, ...body));
  const scale = element("p", { className: "heat-scale", "aria-hidden": "true" }, t("insights.heat.less"), ...Array.from({ length: LEVELS + 1 }, (_, level) => element("span", { "data-level": level })), t("insights.heat.more"));
  return element("div", { className: "heat-box" }, element("div", { className: "table-room", tabIndex: 0, role: "region", "aria-label": caption }, table), scale);
}
