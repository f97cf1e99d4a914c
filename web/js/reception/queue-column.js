import { queueChip } from "../components/queue-chip.js";
import { isPastCall, markWords, minutesBetween, namesakeMarks, nextReason, patientMarks, sharedNames, unreachedMarks } from "../desk/entry-texts.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { formatTime, t } from "../shared/i18n.js";
import { waitLevel, waitedMinutes } from "./desk.js";

/**
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("./desk.js").Queue} Queue
 * @typedef {import("./desk.js").Entry} Entry
 * @typedef {import("./desk.js").Point} Point
 *
 * @typedef {object} Look  the user's view of the queues
 * @property {number} now
 * @property {Point | null} point       the user's own
 * @property {number | null} chosen     the id of the selected entry
 * @property {Set<number> | null} found  the ids of the entries that match the search; null for all
 * @property {(action: string) => boolean} may  whether the user may do an action
 * @property {Set<string>} shared  the names that several patients have
 *
 * @typedef {object} Column
 * @property {HTMLElement} name
 * @property {HTMLElement} count
 * @property {HTMLElement} late
 * @property {HTMLButtonElement} pause
 * @property {HTMLElement} empty
 * @property {HTMLElement} rows
 * @property {HTMLElement} ended
 * @property {HTMLElement} summary
 * @property {HTMLElement} endedRows
 *
 * @typedef {object} Row
 * @property {HTMLElement} ticket
 * @property {HTMLElement} name
 * @property {HTMLElement} waited
 * @property {HTMLElement} notes
 * @property {Entry | null} entry   the entry that it shows
 * @property {string} beside        the texts that it shows besides the entry
 * @property {number} minutes
 */

// The time for painting rows in one frame. When every wait is estimated again, the last rows follow in the next frames.
const DRAWING_MS = 3;

/** @type {WeakMap<Element, Column>} */
const columns = new WeakMap();
/** @type {WeakMap<Element, Row>} */
const rows = new WeakMap();

/**
 * Show the queues side by side, each with its rows. A row whose entry has not changed is not touched. The order of the rows
 * is painted at once. Returns whether some rows still show their old content, for lack of time.
 *
 * @param {HTMLElement} parent
 * @param {Desk} desk
 * @param {Omit<Look, "shared">} view
 */
export function showQueues(parent, desk, view) {
  const look = { ...view, shared: sharedNames(desk.entries.values()) };
  const beside = besideOf(desk, look);
  const drawing = { until: performance.now() + DRAWING_MS, behind: false };
  updateList(parent, desk.queues, ({ id }) => id, makeColumn, (column, queue) => {
    const parts = /** @type {Column} */ (columns.get(column));
    const shown = (/** @type {Entry[]} */ list) => (look.found === null ? list : list.filter(({ id }) => look.found?.has(id)));
    const open = desk.open.get(queue.id) ?? [];
    const noShows = desk.noShows.get(queue.id) ?? [];
    let waiting = 0;
    let late = 0;
    for (const entry of open) {
      if (entry.state === "waiting") waiting += 1;
      if (waitLevel(entry, look.now) === "late") late += 1;
    }
    setText(parts.name, queue.name);
    setText(parts.count, t("desk.waiting", { n: waiting }));
    setText(parts.late, late === 0 ? "" : t("desk.late", { n: late }));
    column.classList.toggle("is-paused", queue.paused);
    parts.pause.hidden = !look.may(queue.paused ? "open-queue" : "pause-queue");
    setText(parts.pause, t(queue.paused ? "desk.queue.open" : "desk.queue.pause"));
    parts.pause.setAttribute("aria-label", t(queue.paused ? "desk.queue.open.name" : "desk.queue.pause.name", { queue: queue.name }));
    const here = shown(open);
    const gone = shown(noShows);
    parts.empty.hidden = here.length > 0;
    setText(parts.empty, t(look.found !== null && open.length > 0 ? "desk.search.none" : "desk.empty"));
    parts.rows.hidden = here.length === 0;
    const update = (/** @type {HTMLElement} */ row, /** @type {Entry} */ entry) => updateRow(row, entry, desk, look, beside, drawing);
    updateList(parts.rows, here, ({ id }) => id, makeRow, update);
    parts.ended.hidden = gone.length === 0;
    setText(parts.summary, t("desk.no_shows", { n: gone.length }));
    updateList(parts.endedRows, gone, ({ id }) => id, makeRow, update);
  });
  return drawing.behind;
}

/**
 * Return a function that gives the texts of a row that are not in its entry, as one text to compare: the names of point and
 * provider, and why the entry is next.
 *
 * @param {Desk} desk
 * @param {Look} look
 * @returns {(entry: Entry) => string}
 */
function besideOf(desk, { point, chosen, shared }) {
  const points = new Map(desk.points.map(({ id, name }) => [id, name]));
  const providers = new Map(desk.providers.map(({ id, name }) => [id, name]));
  const next = point?.next;
  return ({ id, point: at, provider, name, born }) =>
    `${namesakeMarks({ name, born }, shared).length}${at === null ? "" : points.get(at)}\n${provider === null ? "" : providers.get(provider)}\n${
      next?.entry === id ? `${next.why} ${next.before} ${next.minutes}` : ""
    }\n${id === chosen ? "chosen" : ""}${markWords === null}`;
}

/** @param {Queue} queue */
function makeColumn(queue) {
  const heading = `queue-${queue.id}`;
  /** @type {Column} */
  const parts = {
    name: element("span", { className: "queue-column-name" }),
    count: element("span", { className: "queue-column-count" }),
    late: element("span", { className: "queue-column-late" }),
    pause: element("button", { type: "button", className: "queue-column-pause" }),
    empty: element("p", { className: "queue-column-empty", hidden: true }),
    rows: listBox(heading),
    summary: element("summary"),
    ended: element("details", { className: "queue-column-ended", hidden: true }),
    endedRows: listBox(heading),
  };
  parts.pause.dataset.pause = String(queue.id);
  parts.ended.append(parts.summary, parts.endedRows);
  const made = element(
    "section",
    { className: "queue-column", "aria-labelledby": heading },
    element(
      "header",
      { className: "queue-column-head" },
      queueChip(queue),
      element("h2", { id: heading, className: "queue-column-title" }, parts.name),
      parts.pause,
      element("p", { className: "queue-column-counts" }, parts.late, parts.count),
    ),
    element("div", { className: "queue-column-body" }, parts.empty, parts.rows, parts.ended),
  );
  made.dataset.queue = String(queue.id);
  columns.set(made, parts);
  return made;
}

/** @param {string} heading */
const listBox = (heading) => element("ol", { className: "queue-column-rows", role: "listbox", "aria-labelledby": heading });

/** @param {Entry} entry */
function makeRow(entry) {
  /** @type {Row} */
  const parts = {
    ticket: element("span", { className: "entry-ticket" }),
    name: element("span", { className: "entry-name" }),
    waited: element("span", { className: "entry-waited" }),
    notes: element("span", { className: "entry-notes" }),
    entry: null,
    beside: "",
    minutes: -1,
  };
  const row = element("li", { className: "entry-row", role: "option", tabIndex: -1 }, parts.ticket, parts.name, parts.waited, parts.notes);
  row.dataset.entry = String(entry.id);
  rows.set(row, parts);
  return row;
}

/**
 * @param {HTMLElement} row
 * @param {Entry} entry
 * @param {Desk} desk
 * @param {Look} look
 * @param {(entry: Entry) => string} besideOf
 * @param {{until: number, behind: boolean}} drawing
 */
function updateRow(row, entry, desk, look, besideOf, drawing) {
  const parts = /** @type {Row} */ (rows.get(row));
  const beside = besideOf(entry);
  const minutes = waitedMinutes(entry, look.now);
  const same = parts.entry === entry && parts.beside === beside;
  if (same && parts.minutes === minutes) return;
  if (parts.entry !== null && performance.now() > drawing.until) {
    drawing.behind = true;
    return;
  }
  if (parts.minutes !== minutes) setText(parts.waited, t("desk.minutes", { n: minutes }));
  const pressure = waitLevel(entry, look.now);
  if (row.dataset.pressure !== pressure) {
    row.dataset.pressure = pressure;
    if (pressure === "late") parts.waited.setAttribute("aria-description", t("desk.late.one"));
    else parts.waited.removeAttribute("aria-description");
  }
  if (!same || entry.state !== "waiting") {
    row.dataset.state = entry.state;
    row.dataset.label = entry.label;
    row.dataset.priority = entry.priority;
    row.draggable = entry.state === "waiting" && look.may("transfer");
    const chosen = entry.id === look.chosen;
    row.setAttribute("aria-selected", String(chosen));
    row.classList.toggle("is-next", look.point?.next?.entry === entry.id);
    setText(parts.ticket, entry.label);
    setText(parts.name, entry.name ?? "");
    row.classList.toggle("is-nameless", !entry.name);
    showNotes(parts.notes, notesOf(entry, desk, look));
  }
  Object.assign(parts, { entry, beside, minutes });
}

/**
 * Show notes. Usually only their times differ: then the elements stay, because every row changes when the waits are
 * estimated.
 *
 * @param {HTMLElement} parent
 * @param {{kind: string, text: string}[]} notes
 */
function showNotes(parent, notes) {
  const kinds = notes.map(({ kind }) => kind).join(" ");
  if (parent.dataset.kinds !== kinds) {
    parent.dataset.kinds = kinds;
    parent.replaceChildren(...notes.map(({ kind, text }) => element("span", { className: `note is-${kind}` }, text)));
    return;
  }
  for (const [index, { text }] of notes.entries()) setText(/** @type {Element} */ (parent.children[index]), text);
}

/**
 * Return the notes of a row, the most important first.
 *
 * @param {Entry} entry
 * @param {Desk} desk
 * @param {Look} look
 * @returns {{kind: string, text: string}[]}
 */
function notesOf(entry, desk, { now, point, shared }) {
  const { state, absent_until: absent, expect_from: from, expect_until: until } = entry;
  const zone = desk.site?.time_zone;
  const notes = [];
  if (state !== "waiting" && state !== "no_show") {
    const at = desk.points.find(({ id }) => id === entry.point)?.name ?? "";
    notes.push({ kind: state, text: t(`desk.${state}`, { point: at, n: minutesBetween(entry.since, now) }) });
  }
  if (isPastCall(entry, now)) notes.push({ kind: "past-call", text: t("point.called.past", { n: minutesBetween(entry.since, now) }) });
  if (point?.next?.entry === entry.id) notes.push({ kind: "next", text: t("desk.next", { why: nextReason(point.next, entry.priority) }) });
  notes.push(...unreachedMarks(entry), ...namesakeMarks(entry, shared), ...patientMarks(entry, desk.site?.language));
  if (entry.provider !== null) {
    notes.push({ kind: "provider", text: desk.providers.find(({ id }) => id === entry.provider)?.name ?? "" });
  }
  if (absent !== null) notes.push({ kind: "absent", text: t("desk.absent", { time: formatTime(absent, zone) }) });
  else if (from !== null && until !== null) {
    notes.push({ kind: "range", text: t("desk.range", { from: formatTime(from, zone), until: formatTime(until, zone) }) });
  }
  return notes;
}
