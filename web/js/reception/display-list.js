import { element, find, setText, updateList } from "../shared/dom.js";
import { formatTime, t } from "../shared/i18n.js";
import { displayTrouble } from "./desk.js";

/** @typedef {import("./desk.js").Display} Display */

const WORST_FIRST = ["dark", "behind", "muted", null];

/**
 * Show the state of the displays, those with trouble first, and an alarm in the page's head for dark displays.
 *
 * @param {HTMLElement} section  hidden without displays, unless the user may add one
 * @param {HTMLElement} alarm
 * @param {Display[]} displays
 * @param {{zone: string | undefined, maySetUp: boolean}} look  `maySetUp`: a display's row is a button
 */
export function showDisplays(section, alarm, displays, { zone, maySetUp }) {
  const sorted = [...displays].sort(
    (one, other) => WORST_FIRST.indexOf(displayTrouble(one)) - WORST_FIRST.indexOf(displayTrouble(other)) || one.id - other.id,
  );
  section.hidden = sorted.length === 0 && !maySetUp;
  updateList(find("ol", section), sorted, ({ id }) => id, (display) => makeDisplay(display, maySetUp), (row, display) => {
    row.dataset.trouble = displayTrouble(display) ?? "none";
    setText(find(".display-name", row), display.name);
    setText(find(".display-state", row), wordsFor(display, zone));
    row.title = display.version === null ? "" : t("desk.display.version", { version: display.version });
  });
  const dark = sorted.filter((display) => displayTrouble(display) === "dark");
  alarm.hidden = dark.length === 0;
  setText(alarm, dark.length === 0 ? "" : t("desk.display.alarm", { n: dark.length, name: dark[0]?.name ?? "" }));
}

/**
 * @param {Display} display
 * @param {string | undefined} zone
 */
function wordsFor(display, zone) {
  const trouble = displayTrouble(display);
  if (!display.paired) return t("desk.display.unpaired");
  if (trouble === null) return t("desk.display.live");
  const since = display.since === null ? null : formatTime(display.since, zone);
  if (trouble === "dark") return since === null ? t("desk.display.never") : t("desk.display.dark", { time: since });
  return t(`desk.display.${trouble}`, { n: display.lag ?? 0 });
}

/**
 * @param {Display} display
 * @param {boolean} maySetUp
 */
function makeDisplay(display, maySetUp) {
  const words = [element("span", { className: "display-name" }), element("span", { className: "display-state" })];
  const row = maySetUp
    ? element("li", { className: "display-row" }, element("button", { type: "button", className: "row-button display-line display-button" }, ...words))
    : element("li", { className: "display-row display-line" }, ...words);
  row.dataset.display = String(display.id);
  return row;
}
