import { allOf } from "../live/cells.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { nameIn, t } from "../shared/i18n.js";
import { latestAnnouncements } from "./announcer.js";

/**
 * @typedef {import("../live/cells.js").Cells} Cells
 * @typedef {import("../live/cells.js").OpenCall} OpenCall
 * @typedef {{key: number, call: OpenCall, point: string, heard: number}} Shown
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Return the cells without the calls that no longer stand: a room has called and then forgotten the call. The display shows
 * such a call among the last ones, and does not speak it. A call from before an outage is not among the last ones either:
 * nobody shall go to its point.
 *
 * @param {Cells} cells
 * @param {number} now  the server's time in milliseconds
 * @returns {Cells}
 */
export function standingCells(cells, now) {
  const doubtful = new Set(doubtfulCalls(cells).map(({ id }) => id));
  const stands = (/** @type {[string, any]} */ [key, cell]) =>
    key.startsWith("entry:") ? !cell.in_doubt && (cell.stands_until == null || now < cell.stands_until) : !(key.startsWith("announcement:") && doubtful.has(cell.entry));
  return new Map([...cells].filter(stands));
}

/**
 * Return the calls from before an outage that nobody has confirmed since.
 *
 * @param {Cells} cells
 */
export const doubtfulCalls = (cells) => /** @type {(OpenCall & {id: number})[]} */ (allOf(cells, "entry")).filter(({ in_doubt: inDoubt }) => inDoubt);

/**
 * Return the open calls, the one announced last first.
 *
 * @param {Cells} cells
 * @returns {Shown[]}
 */
export function openCalls(cells) {
  const heard = latestAnnouncements(cells);
  const calls = /** @type {(OpenCall & {id: number})[]} */ (allOf(cells, "entry"));
  return calls
    .map((call) => ({
      key: call.id,
      call,
      point: pointName(cells, call.point),
      heard: heard.get(call.id) ?? 0,
    }))
    .sort((one, other) => other.heard - one.heard || other.call.at - one.call.at || other.key - one.key);
}

/**
 * Return the name of a point in the reader's language.
 *
 * @param {Cells} cells
 * @param {number} id
 */
export function pointName(cells, id) {
  const point = cells.get(`point:${id}`);
  return nameIn(point?.name ?? "", point?.names);
}

/**
 * Show the open calls. The newest one fills the head of the board.
 *
 * @param {HTMLElement} list
 * @param {Cells} cells
 */
export function showCalls(list, cells) {
  const calls = openCalls(cells);
  const others = Math.max(0, calls.length - 1);
  const columns = others > 5 ? 2 : 1;
  list.dataset.columns = String(columns);
  list.style.setProperty("--longest-label", String(Math.max(1, ...calls.map(({ call }) => call.label.length))));
  list.style.setProperty("--rows", String(Math.max(1, Math.ceil(others / columns))));
  // Calls that were open when the page opened do not move. Later ones move once for each call and recall.
  const news = list.dataset.painted !== undefined;
  list.dataset.painted = "";
  updateList(list, calls, ({ key }) => key, makeCall, (row, shown) => updateCall(row, shown, news));
}

function makeCall() {
  const name = element("span", { className: "call-name" });
  const ticket = element("span", { className: "call-ticket" });
  const point = element("span", { className: "call-point" });
  return element("li", { className: "call" }, element("span", { className: "call-who" }, ticket, name), arrowIcon(), point);
}

/**
 * @param {HTMLElement} row
 * @param {Shown} shown
 * @param {boolean} news
 */
function updateCall(row, { call, point, heard }, news) {
  setText(find(".call-ticket", row), call.label);
  setText(find(".call-name", row), call.trial ? t("display.trial") : (call.name ?? ""));
  row.classList.toggle("is-trial", call.trial);
  setText(find(".call-point", row), point);
  const said = t("display.call", { label: call.label, point });
  row.setAttribute("aria-label", call.trial ? `${said} (${t("display.trial")})` : said);
  row.dataset.call = call.label;
  // The long name of a point shrinks instead of breaking (see call-board.css).
  const longest = Math.max(1, ...point.split(/\s+/).map((word) => [...word].length));
  row.style.setProperty("--longest-word", String(longest));
  row.style.setProperty("--name-length", String(Math.max(1, [...point].length)));
  row.style.setProperty("--label-length", String(call.label.length));
  if (row.dataset.heard === String(heard)) return;
  row.dataset.heard = String(heard);
  if (!news) return;
  row.classList.remove("is-called");
  void row.offsetWidth; // a reflow, so that the animation starts again
  row.classList.add("is-called");
}

/** Return the arrow from a ticket to its point. It is a drawing, so that it does not depend on a font. */
export function arrowIcon() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "arrow");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", "M3 12h17m-7-7 7 7-7 7");
  svg.append(path);
  return svg;
}
