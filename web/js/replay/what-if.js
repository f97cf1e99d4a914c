/** "What if": the waits of the chosen day, with other points, hours or rules. */

import { errorMessage } from "../desk/error-messages.js";
import { element, find, setText } from "../shared/dom.js";
import { formatNumber, hasText, named, t } from "../shared/i18n.js";
import { dayOf, offsetName, timeAt, timeOf } from "../shared/local-time.js";
import { ask } from "../shared/staff-requests.js";
import { browserOffsets, instantOf, withOffset } from "./instants.js";

/**
 * @typedef {import("../shared/session.js").Site} Site
 * @typedef {{id: number, name: string, names?: Record<string, string>}} Named
 * @typedef {{called: number, median_seconds: number | null, p90_seconds: number | null, longest_seconds: number | null,
 *   waiting: number}} Waits
 * @typedef {{real: Waits, control: Waits, changed: Waits}} Rows
 * @typedef {{type: string, count: number}[]} Steps
 * @typedef {Rows & {queues: (Rows & {queue: number, name: string})[], hours: (Rows & {begins: number, offset_minutes: number})[], left_out: Steps,
 *   not_repeated: Steps, turned_away: number}} Compared
 */

const MINUTE_SECONDS = 60;
const MOST_MINUTES = 240;
const ROWS = /** @type {const} */ (["real", "control", "changed"]);
const MEASURES = ["called", "median", "p90", "longest", "waiting"];

/** A choice that cannot be computed: its message says why. */
class BadChoice extends Error {}

/**
 * Connect the section. It asks for the day that the page has chosen.
 *
 * @param {Site} site
 * @param {() => string} chosenDay  YYYY-MM-DD
 */
export function connectWhatIf(site, chosenDay) {
  const section = find("[data-what-if]");
  section.hidden = false;
  offerRecords({ points: [], queues: [] });
  const button = /** @type {HTMLButtonElement} */ (find("[data-compute]", section));
  const status = find("[data-computing]", section);
  const queuesOf = select("[data-queues-of]");
  queuesOf.addEventListener("change", () => {
    find("[data-other-queues]").hidden = queuesOf.value === "";
  });
  /** @type {AbortController | null} */
  let running = null;
  addEventListener("pagehide", () => running?.abort()); // the server ends the replay with the request
  find("[data-changes]", section).addEventListener("submit", async (event) => {
    event.preventDefault();
    const day = chosenDay();
    let query;
    try {
      query = queryOf(site, day);
    } catch (error) {
      if (!(error instanceof BadChoice)) throw error;
      setText(status, error.message);
      return;
    }
    button.disabled = true;
    running = new AbortController();
    setText(status, t("replay.what_if.computing"));
    const { body, error } = await ask(`/api/v1/sites/${site.id}/what-if?${query}`, { signal: running.signal }).catch(() => ({ body: null, error: { code: "unreachable", details: {} } }));
    running = null;
    button.disabled = false;
    find("[data-waits]", section).replaceChildren(...(error === undefined ? answerOf(body, day) : []));
    setText(status, error === undefined ? t("replay.what_if.done", { day: dayOf(day) }) : errorMessage(error));
  });
}

/** @param {string} selector */
const select = (selector) => /** @type {HTMLSelectElement} */ (find(selector));

/**
 * Offer the points and queues that a change may be about.
 *
 * @param {{points: Named[], queues: Named[]}} site
 */
export function offerRecords({ points, queues }) {
  const shown = { points: points.map(withName), queues: queues.map(withName) };
  /** @param {string} selector @param {string} none */
  const offer = (selector, none) =>
    select(selector).replaceChildren(element("option", { value: "" }, t(none)), ...shown.points.map(({ id, name }) => element("option", { value: String(id) }, name)));
  offer("[data-like]", "replay.what_if.none");
  offer("[data-queues-of]", "replay.what_if.no_point");
  offer("[data-hours-of]", "replay.what_if.every_point");
  offerChecks("[data-closed]", shown.points);
  offerChecks("[data-other-queues]", shown.queues);
}

/** @param {Named} record */
const withName = (record) => named({ ...record, names: record.names ?? {} });

/** @param {string} selector @param {Named[]} records */
function offerChecks(selector, records) {
  const place = find(selector);
  const boxes = records.map(({ id, name }) => element("label", { className: "check" }, element("input", { type: "checkbox", value: String(id) }), element("span", {}, name)));
  place.replaceChildren(.../** @type {Element[]} */ ([place.firstElementChild]), ...boxes);
}

/** @param {string} selector */
const checked = (selector) => [.../** @type {NodeListOf<HTMLInputElement>} */ (find(selector).querySelectorAll("input:checked"))].map(({ value }) => value);

/**
 * Return the query for the chosen changes. Throws `BadChoice` if one is wrong or lacks a part.
 *
 * @param {Site} site
 * @param {string} day
 */
function queryOf(site, day) {
  if (day === "") throw new BadChoice(t("replay.choose_time"));
  const query = new URLSearchParams({ business_day: day });
  const offsets = browserOffsets(day, site.time_zone);
  const time = (/** @type {string} */ name) => /** @type {HTMLInputElement} */ (find(name)).value;
  /** @param {string} name @param {string} at @param {"first" | "last"} which  of a time that the clock shows twice */
  const setTime = (name, at, which) => {
    const instant = instantOf(`${day}T${at}`, offsets, which);
    if (instant === null) throw new BadChoice(t("replay.gap", { time: timeOf(`${day}T${at}`) }));
    query.set(name, withOffset(instant.at, instant.minutes));
  };
  const like = select("[data-like]").value;
  if (like !== "") {
    const [from, until] = [time("[data-from]"), time("[data-until]")];
    if (!from || !until || from >= until) throw new BadChoice(t("replay.what_if.hours"));
    query.set("like_point", like);
    setTime("from", from, "first");
    setTime("until", until, "last");
  }
  const closed = checked("[data-closed]");
  if (closed.length > 0) query.set("closed_points", closed.join(","));
  const queuesOf = select("[data-queues-of]").value;
  if (queuesOf !== "") {
    const queues = checked("[data-other-queues]");
    if (queues.length === 0) throw new BadChoice(t("replay.what_if.choose_queues"));
    query.set("queues_of", queuesOf);
    query.set("queues", queues.join(","));
  }
  const hoursOf = select("[data-hours-of]").value;
  if (hoursOf !== "") query.set("hours_of", hoursOf);
  const [opens, closes] = [time('[data-intake="from"]'), time('[data-intake="until"]')];
  if (opens && closes && opens >= closes) throw new BadChoice(t("replay.what_if.intake_order"));
  if (opens) setTime("intake_from", opens, "first");
  if (closes) setTime("intake_until", closes, "last");
  for (const input of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("[data-minutes]"))) {
    if (input.value === "" && !input.validity.badInput) continue;
    const minutes = Number(input.value);
    if (input.value === "" || !Number.isInteger(minutes) || minutes < Number(input.min) || minutes > MOST_MINUTES) {
      throw new BadChoice(t("replay.what_if.wrong_minutes", { least: formatNumber(Number(input.min)), most: formatNumber(MOST_MINUTES) }));
    }
    query.set(input.dataset.minutes ?? "", String(minutes));
  }
  return query;
}

/**
 * @param {Compared} compared
 * @param {string} day
 */
function answerOf(compared, day) {
  const title = t("replay.waits", { day: dayOf(day) });
  const queues = compared.queues.map((each) => ({ name: each.name, rows: each }));
  const changing = new Set(compared.hours.map((each) => each.offset_minutes)).size > 1;
  const hours = compared.hours.map((each) => {
    const time = timeAt(each.begins, each.offset_minutes);
    return { name: changing ? `${time} (${offsetName(each.offset_minutes)})` : time, rows: each };
  });
  return [
    tableOf(title, [{ name: "", rows: compared }]),
    ...notesOf(compared),
    foldOf(t("replay.waits.by_queue"), tableOf(t("replay.waits.by_queue"), queues, t("replay.waits.queue"))),
    foldOf(t("replay.waits.by_hour"), tableOf(t("replay.waits.by_hour"), hours, t("replay.waits.hour"))),
  ];
}

/** @param {string} title @param {HTMLElement} table */
const foldOf = (title, table) => element("details", { className: "replay-fold" }, element("summary", {}, title), table);

/**
 * Return a table with three rows for each group.
 *
 * @param {string} title
 * @param {{name: string, rows: Rows}[]} groups
 * @param {string} [head]  of the column with the names of the groups
 */
function tableOf(title, groups, head) {
  const heads = [...(head === undefined ? [] : [head]), ...["row", ...MEASURES].map((name) => t(`replay.waits.${name}`))];
  const bodies = groups.map(({ name, rows }) =>
    element("tbody", {}, ...ROWS.map((row, index) => rowOf(row, rows[row], head !== undefined && index === 0 ? name : undefined))),
  );
  const top = element("thead", {}, element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text))));
  const table = element("table", {}, element("caption", {}, title), top, ...bodies);
  return element("div", { className: "replay-scroll", tabIndex: 0, role: "region", "aria-label": title }, table);
}

/**
 * @param {typeof ROWS[number]} name
 * @param {Waits} waits
 * @param {string} [group]  the name of the group that begins with this row
 */
function rowOf(name, { called, median_seconds: median, p90_seconds: p90, longest_seconds: longest, waiting }, group) {
  const cells = [formatNumber(called), lasting(median), lasting(p90), lasting(longest), formatNumber(waiting)];
  const first = group === undefined ? [] : [element("th", { scope: "rowgroup", rowSpan: ROWS.length }, group)];
  return element("tr", {}, ...first, element("th", { scope: "row" }, t(`replay.waits.${name}`)), ...cells.map((text) => element("td", {}, text)));
}

/** @param {number | null} seconds */
const lasting = (seconds) => (seconds === null ? t("replay.waits.few") : t("replay.waits.minutes", { minutes: Math.round(seconds / MINUTE_SECONDS) }));

/** @param {Compared} compared */
function notesOf({ left_out: leftOut, not_repeated: notRepeated, turned_away: turnedAway }) {
  const notes = [t("replay.waits.definition")];
  if (turnedAway > 0) notes.push(t("replay.waits.turned_away", { n: turnedAway }));
  if (notRepeated.length > 0) notes.push(t("replay.waits.not_repeated", { n: sum(notRepeated), steps: told(notRepeated) }));
  if (leftOut.length > 0) notes.push(t("replay.waits.left_out", { n: sum(leftOut), steps: told(leftOut) }));
  return notes.map((text) => element("p", { className: "replay-note" }, text));
}

/** @param {Steps} steps */
const sum = (steps) => steps.reduce((all, { count }) => all + count, 0);

/** @param {Steps} steps */
const told = (steps) => steps.map(({ type, count }) => t("replay.waits.step", { step: stepName(type), n: formatNumber(count) })).join(", ");

/** @param {string} type */
function stepName(type) {
  for (const key of [`replay.step.${type}`, `replay.event.${type}`]) if (hasText(key)) return t(key);
  return t("replay.event.other");
}
