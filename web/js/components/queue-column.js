import { minutesBetween, waitedMinutes } from "./desk.js";
import { queueChip } from "./queue-chip.js";
import { arrange, element, find, say } from "../dom.js";
import { t } from "../i18n.js";

/**
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("./desk.js").Queue} Queue
 * @typedef {import("./desk.js").Entry} Entry
 */

/**
 * Show the queues side by side, each with its rows.
 *
 * @param {HTMLElement} columns
 * @param {Desk} desk
 * @param {number} now
 */
export function showQueues(columns, desk, now) {
  const points = new Map(desk.points.map((point) => [point.id, point.name]));
  arrange(columns, desk.queues, ({ id }) => id, makeColumn, (column, queue) => {
    const open = desk.open.get(queue.id) ?? [];
    const noShows = desk.noShows.get(queue.id) ?? [];
    const waiting = open.filter(({ state }) => state === "waiting").length;
    say(find(".queue-column-name", column), queue.name);
    say(find(".queue-column-count", column), t("desk.waiting", { n: waiting }));
    find(".queue-column-empty", column).hidden = open.length > 0;
    const row = (/** @type {HTMLElement} */ made, /** @type {Entry} */ entry) => updateRow(made, entry, points, now);
    arrange(find(".queue-column-rows", column), open, ({ id }) => id, makeRow, row);
    const ended = find(".queue-column-ended", column);
    ended.hidden = noShows.length === 0;
    say(find("summary", ended), t("desk.no_shows", { n: noShows.length }));
    arrange(find("ol", ended), noShows, ({ id }) => id, makeRow, row);
  });
}

/** @param {Queue} queue */
function makeColumn(queue) {
  const heading = `queue-${queue.id}`;
  const made = element(
    "section",
    { className: "queue-column", "aria-labelledby": heading },
    element(
      "h2",
      { className: "queue-column-head", id: heading },
      queueChip(queue),
      element("span", { className: "queue-column-name" }),
      element("span", { className: "queue-column-count" }),
    ),
    element(
      "div",
      // A list that scrolls must be reachable for those who scroll by keys.
      { className: "queue-column-body", tabIndex: 0, role: "group", "aria-labelledby": heading },
      element("p", { className: "queue-column-empty", hidden: true }, t("desk.empty")),
      element("ol", { className: "queue-column-rows" }),
      element("details", { className: "queue-column-ended", hidden: true }, element("summary"), element("ol")),
    ),
  );
  made.dataset.queue = String(queue.id);
  return made;
}

/** @param {Entry} entry */
function makeRow(entry) {
  const row = element(
    "li",
    { className: "entry-row" },
    element("span", { className: "entry-ticket" }),
    element("span", { className: "entry-name" }),
    element("span", { className: "entry-waited" }),
    element("span", { className: "entry-marks" }),
  );
  row.dataset.entry = String(entry.id);
  return row;
}

/**
 * @param {HTMLElement} row
 * @param {Entry} entry
 * @param {Map<number, string>} points
 * @param {number} now
 */
function updateRow(row, entry, points, now) {
  row.dataset.state = entry.state;
  row.dataset.label = entry.label;
  row.dataset.priority = entry.priority;
  say(find(".entry-ticket", row), entry.label);
  say(find(".entry-name", row), entry.name ?? "");
  say(find(".entry-waited", row), t("desk.minutes", { n: waitedMinutes(entry, now) }));
  const point = entry.point === null ? "" : (points.get(entry.point) ?? "");
  const marks = [
    entry.party > 1 ? { kind: "party", text: t("desk.party", { n: entry.party }) } : null,
    entry.priority === "standard" ? null : { kind: entry.priority, text: t(`priority.${entry.priority}`) },
    entry.state === "waiting"
      ? null
      : { kind: entry.state, text: t(`desk.${entry.state}`, { point, n: minutesBetween(entry.since, now) }) },
  ].filter((mark) => mark !== null);
  arrange(
    find(".entry-marks", row),
    marks,
    ({ kind }) => kind,
    ({ kind }) => element("span", { className: `mark mark-${kind.replace("_", "-")}` }),
    (mark, { text }) => say(mark, text),
  );
}
