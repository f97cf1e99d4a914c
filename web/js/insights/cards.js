/** The cards of the page, made from the server's answers. Pure but for the texts of the language. */

import { currentLanguage, t } from "../shared/i18n.js";
import { shortDayOf, timeOf } from "../shared/local-time.js";
import { dayText, hourText, missingText, weekdayText } from "./texts.js";
import { fieldOf, levelOf, quotient, shareText, valueText } from "./values.js";

/**
 * @typedef {import("./card.js").Card} Card
 * @typedef {import("./card.js").Tile} Tile
 * @typedef {import("./chart.js").Mark} Mark
 * @typedef {import("./tables.js").Table} Table
 * @typedef {import("./values.js").Unit} Unit
 * @typedef {import("./values.js").Counts} Counts
 * @typedef {Record<string, any>} Group  the figures of a set of patients
 *
 * @typedef {object} Answers
 * @property {Record<string, any>} now         the figures of the period
 * @property {Record<string, any> | null} then  those of the period before
 * @property {Record<string, any> | null} access  the third next available appointments; null: unknown
 */

const GOAL = 90;
const HOUR = 3600;

export const nameOf = (/** @type {string} */ id) => t(`insights.name.${id}`);
/** Return the definitions of these ids as one text. @param {string[]} ids */
export const defined = (...ids) => ids.map((id) => t(`insights.define.${id}`)).join(" ");

/**
 * Return the cards of a period, the most asked first.
 *
 * @param {Answers} answers
 * @param {(view: string) => string} csv  the address of an export
 * @returns {Card[]}
 */
export function cardsOf({ now, then, access }, csv) {
  const cards = [waits(now, then), arrivals(now), load(now), promises(now, then), attendance(now, then), accessTo(now, then, access), times(now, then), fairness(now, then), messages(now), feedback(now)];
  return cards.map((card) => ({ title: t(`insights.card.${card.id}`), lead: t(`insights.card.${card.id}.lead`), tiles: [], csv: csv(VIEWS[card.id] ?? card.id), ...card }));
}

/** The exports of the cards whose names differ. @type {Record<string, string>} */
const VIEWS = { waits: "days", arrivals: "hours", load: "heat", promises: "hours", attendance: "providers", access: "third-next", times: "queues" };

/** Return the notes about the period: changes of the clock, and days that are not counted yet. @param {Record<string, any>} now @returns {string[]} */
export function notesOf(now) {
  const changes = now.clock_changes.map((/** @type {any} */ each) => t(`insights.${each.kind}`, { day: dayText(each.business_day), hour: hourText(each.hour) }));
  const { missing } = now;
  return missing === null ? changes : [...changes, missingText(missing)];
}

/** Return whether nobody came in the period. @param {Record<string, any>} now */
export const isEmpty = ({ total }) => total.entries.count === 0 && total.appointments.booked === 0;

/**
 * @param {string} id       of its name
 * @param {Group | null} now
 * @param {Group | null | undefined} then
 * @param {(group: Group) => string} text
 * @param {string[]} ids    of its definitions
 * @param {string} [name]
 * @returns {Tile}
 */
function tile(id, now, then, text, ids = [id], name = nameOf(id)) {
  return { name, definition: defined(...ids), value: now === null ? "–" : text(now), before: then == null ? null : text(then) };
}

const spread = (/** @type {string} */ part, /** @type {string} */ field) => (/** @type {Group} */ group) => valueText(fieldOf(group[part], `${field}_seconds`), "minutes");
const count = (/** @type {string} */ part, field = "count") => (/** @type {Group} */ group) => valueText(fieldOf(group[part], field), "count");
const share = (/** @type {string} */ part, /** @type {string} */ field, whole = "count") => (/** @type {Group} */ group) => shareText(fieldOf(group[part], field), fieldOf(group[part], whole));

/** Return a name of two: "Wait: median". @param {string} one @param {string} other */
const pair = (one, other) => t("insights.pair", { one: nameOf(one), other: nameOf(other).toLocaleLowerCase(currentLanguage()) });

/**
 * Return the tiles of a duration: the median and the 90th percentile, never one alone.
 *
 * @param {string} part
 * @param {Record<string, any>} now
 * @param {Record<string, any> | null} then
 */
const durations = (part, now, then) => [
  tile(part, now.total, then?.total, spread(part, "median"), [part, "median"], pair(part, "median")),
  tile(part, now.total, then?.total, spread(part, "p90"), [part, "p90"], pair(part, "p90")),
];

/**
 * A table of groups with the same columns.
 *
 * @param {string} caption
 * @param {string} of
 * @param {Group[]} groups
 * @param {(group: Group) => string} name
 * @param {[string, string, (group: Group) => string][]} columns  name, definition, text
 * @returns {Table[]}  none for fewer than two groups: their figures are those of the total
 */
function breakdown(caption, of, groups, name, columns) {
  if (groups.length < 2) return [];
  const heads = [{ name: of }, ...columns.map(([head, definition]) => ({ name: head, definition }))];
  return [{ caption, columns: heads, rows: groups.map((group) => [name(group), ...columns.map(([, , text]) => text(group))]) }];
}

/**
 * @param {Record<string, any>} now
 * @param {[string, string, (group: Group) => string][]} columns
 */
const byEverything = (now, columns) => [
  ...breakdown(t("insights.services"), t("insights.service"), now.services, (each) => each.name ?? "", columns),
  ...breakdown(t("insights.queues"), t("insights.queue"), now.queues, (each) => each.name ?? "", columns),
  ...byProvider(now, columns),
];

/**
 * @param {Record<string, any>} now
 * @param {[string, string, (group: Group) => string][]} columns
 */
const byProvider = (now, columns) => breakdown(t("insights.providers"), t("insights.provider"), now.providers, (each) => each.name ?? t("insights.provider.none"), columns);

/** @param {string} name @param {Mark} mark @param {any[]} values */
export const series = (name, mark, values) => ({ name, mark, values });

/** @param {Record<string, any>} now @param {Record<string, any> | null} then @returns {Partial<Card> & {id: string}} */
function waits(now, then) {
  const lines = (/** @type {Group[]} */ groups) => [
    series(nameOf("median"), "line", groups.map((each) => fieldOf(each.wait, "median_seconds"))),
    series(nameOf("p90"), "broken", groups.map((each) => fieldOf(each.wait, "p90_seconds"))),
  ];
  const { days, hours } = now;
  const plots = [
    { title: t("insights.plot.waits_days"), definition: defined("wait", "median", "p90", "business_day"), chart: { of: t("insights.day"), labels: days.map((/** @type {any} */ each) => dayText(each.business_day)), unit: /** @type {Unit} */ ("minutes"), series: lines(days) } },
    { title: t("insights.plot.waits_hours"), definition: defined("wait", "median", "p90", "hour"), chart: { of: t("insights.hour"), labels: hours.map(hourOf), unit: /** @type {Unit} */ ("minutes"), series: lines(hours) } },
  ];
  /** @type {[string, string, (group: Group) => string][]} */
  const columns = [
    [nameOf("median"), defined("wait", "median"), spread("wait", "median")],
    [nameOf("p90"), defined("wait", "p90"), spread("wait", "p90")],
    [nameOf("called"), defined("wait"), count("wait")],
    [nameOf("still"), defined("still"), count("still")],
    [nameOf("gave_up"), defined("gave_up"), count("gave_up")],
  ];
  return {
    id: "waits",
    tiles: [
      ...durations("wait", now, then),
      tile("called", now.total, then?.total, count("wait"), ["wait"]),
      ...(now.to < now.business_day ? [] : [tile("still", now.total, null, count("still")), tile("still", now.total, null, spread("still", "median"), ["still", "median"], pair("still", "median"))]),
      tile("gave_up", now.total, then?.total, count("gave_up")),
    ],
    plots: days.length > 1 ? plots : plots.slice(1),
    tables: byEverything(now, columns),
  };
}

/**
 * Return the columns of a table that compares sites.
 *
 * @returns {[string, string, (group: Group) => string][]}
 */
export const columnsOf = () => [
  [nameOf("entries"), defined("entries"), count("entries")],
  [nameOf("served"), defined("served"), count("entries", "served")],
  [pair("wait", "median"), defined("wait", "median"), spread("wait", "median")],
  [pair("wait", "p90"), defined("wait", "p90"), spread("wait", "p90")],
  [nameOf("gave_up"), defined("gave_up"), count("gave_up")],
  [pair("service", "median"), defined("service", "median"), spread("service", "median")],
  [pair("service", "p90"), defined("service", "p90"), spread("service", "p90")],
  [nameOf("held"), defined("promises", "held"), share("promises", "held")],
  [nameOf("early"), defined("promises", "early"), share("promises", "early")],
  [nameOf("before_leave"), defined("before_leave", "leaves"), share("leaves", "before")],
  [nameOf("missed"), defined("missed", "expected"), share("appointments", "missed", "expected")],
  [nameOf("walk_in_no_shows"), defined("walk_in_no_shows"), share("walk_ins", "no_shows")],
  [pair("lead", "median"), defined("lead", "median"), (group) => valueText(fieldOf(group.lead, "median_days"), "days")],
];

/**
 * Return the figures of all compared sites together.
 *
 * @param {Group} total
 * @param {Group | null} then
 * @returns {Tile[]}
 */
export const tilesOf = (total, then) => [
  ...durations("wait", { total }, then === null ? null : { total: then }),
  tile("entries", total, then, count("entries")),
  tile("held", total, then, share("promises", "held"), ["promises", "held"]),
  tile("missed", total, then, share("appointments", "missed", "expected"), ["missed", "expected"]),
];

const hourOf = (/** @type {any} */ { hour, second }) => hourText(hour, second);

/** @param {Record<string, any>} now @returns {Partial<Card> & {id: string}} */
function arrivals(now) {
  const { hours, total } = now;
  const [service, walk] = [fieldOf(total.service, "median_seconds"), fieldOf(total.walk, "median_seconds")];
  const cycle = typeof service === "number" ? service + (typeof walk === "number" ? walk : 0) : 0;
  const capacity = hours.map((/** @type {any} */ each) => (each.open_seconds === null || cycle === 0 ? null : quotient(each.open_seconds, cycle * each.days)));
  const came = hours.map((/** @type {any} */ each) => quotient(fieldOf(each.entries, "count"), each.days));
  const shown = [series(nameOf("arrivals_a_day"), "bar", came), ...(capacity.every((/** @type {any} */ each) => each === null) ? [] : [series(nameOf("capacity"), "broken", capacity)])];
  return {
    id: "arrivals",
    tiles: [
      tile("entries", total, null, count("entries")),
      tile("tickets", total, null, count("entries", "tickets")),
      tile("served", total, null, count("entries", "served")),
      tile("open", total, null, count("entries", "open")),
    ],
    plots: [{ title: t("insights.plot.arrivals"), definition: defined("arrivals_a_day", "capacity", "hour"), chart: { of: t("insights.hour"), labels: hours.map(hourOf), unit: "count", series: shown } }],
    tables: pointsOf(now),
  };
}

/** @param {Record<string, any>} now @returns {Table[]} */
function pointsOf({ points }) {
  return breakdown(t("insights.points"), t("insights.point"), points, (each) => each.name ?? "", [
    [nameOf("calls"), defined("calls"), (each) => valueText(fieldOf(each, "calls"), "count")],
    [nameOf("open_seconds"), defined("open_seconds"), (each) => hoursText(fieldOf(each, "open_seconds"))],
    [nameOf("busy_seconds"), defined("busy_seconds"), (each) => hoursText(fieldOf(each, "busy_seconds"))],
    [nameOf("use"), defined("use"), useText],
  ]);
}

/** @param {import("./values.js").Value} seconds */
const hoursText = (seconds) => (typeof seconds === "number" ? t("insights.hours", { n: Math.round((10 * seconds) / HOUR) / 10 }) : valueText(seconds, "count"));

/** @param {Group} point */
function useText(point) {
  const [busy, open] = [fieldOf(point, "busy_seconds"), fieldOf(point, "open_seconds")];
  if (typeof busy !== "number" || typeof open !== "number") return valueText(busy, "percent");
  return open > 0 ? valueText(Math.min(100, Math.round((100 * busy) / open)), "percent") : "–";
}

/** @param {Record<string, any>} now @returns {Partial<Card> & {id: string}} */
function load({ heat, weekdays, hours }) {
  if (heat.length === 0) return { id: "load", none: t("insights.none") };
  const columns = hours.map((/** @type {any} */ { hour, second }) => ({ hour, second }));
  const cells = new Map(heat.map((/** @type {any} */ each) => [`${each.weekday}/${each.hour}/${each.second}`, each]));
  const days = new Map(weekdays.map((/** @type {any} */ each) => [each.weekday, each.days]));
  const rate = (/** @type {any} */ each) => (typeof each?.entries === "number" ? each.entries / (days.get(each.weekday) ?? 1) : null);
  const most = Math.max(0, ...heat.map((/** @type {any} */ each) => rate(each) ?? 0));
  const rows = weekdays.map((/** @type {any} */ { weekday, days: counted }) => ({
    name: t("insights.plot.weekday", { weekday: weekdayText(weekday), n: counted }),
    cells: columns.map((/** @type {any} */ { hour, second }) => {
      const found = cells.get(`${weekday}/${hour}/${second}`);
      return found === undefined ? { text: "", level: 0 } : { text: valueText(fieldOf(found, "entries"), "count"), level: levelOf(rate(found), most) };
    }),
  }));
  const caption = t("insights.plot.heat");
  return { id: "load", heat: { title: caption, definition: defined("heat", "weekday", "hour"), heat: { caption, of: t("insights.weekday"), columns: columns.map(hourOf), rows } } };
}

/** @param {Record<string, any>} now @param {Record<string, any> | null} then @returns {Partial<Card> & {id: string}} */
function promises(now, then) {
  const hours = now.hours.filter((/** @type {any} */ { promises: made }) => made.hidden !== null || made.count > 0);
  const held = hours.map((/** @type {any} */ { promises: made }) => percentOf(made));
  /** @type {[string, string, (group: Group) => string][]} */
  const columns = [
    [nameOf("promises"), defined("promises"), count("promises")],
    [nameOf("held"), defined("held"), share("promises", "held")],
    [nameOf("early"), defined("early"), share("promises", "early")],
    [nameOf("leaves"), defined("leaves"), count("leaves")],
    [nameOf("before_leave"), defined("before_leave"), share("leaves", "before")],
    [pair("late_by", "median"), defined("late_by", "median"), (group) => valueText(fieldOf(group.promises, "late_median_seconds"), "minutes")],
  ];
  return {
    id: "promises",
    tiles: [
      tile("held", now.total, then?.total, share("promises", "held"), ["held", "promises"]),
      tile("early", now.total, then?.total, share("promises", "early"), ["early", "promises"]),
      tile("before_leave", now.total, then?.total, share("leaves", "before"), ["before_leave", "leaves"]),
      tile("late_by", now.total, then?.total, (group) => valueText(fieldOf(group.promises, "late_median_seconds"), "minutes"), ["late_by", "median"], pair("late_by", "median")),
      tile("late_by", now.total, then?.total, (group) => valueText(fieldOf(group.promises, "late_p90_seconds"), "minutes"), ["late_by", "p90"], pair("late_by", "p90")),
    ],
    plots: [
      {
        title: t("insights.plot.promises"),
        definition: defined("promises", "held", "goal", "hour"),
        chart: { of: t("insights.hour"), labels: hours.map(hourOf), unit: "percent", series: [series(nameOf("held"), "bar", held), series(nameOf("goal"), "dotted", held.map(() => GOAL))] },
        more: [{ name: nameOf("promises"), cells: hours.map(count("promises")) }],
      },
    ],
    tables: byEverything(now, columns),
  };
}

/** @param {Counts} made */
function percentOf(made) {
  const [held, whole] = [fieldOf(made, "held"), fieldOf(made, "count")];
  if (held === null || typeof held === "string") return held;
  return typeof whole === "number" && whole > 0 ? Math.round((100 * held) / whole) : null;
}

/** @param {Record<string, any>} now @param {Record<string, any> | null} then @returns {Partial<Card> & {id: string}} */
function attendance(now, then) {
  const of = (/** @type {string} */ field) => share("appointments", field, "expected");
  /** @type {[string, string, (group: Group) => string][]} */
  const columns = [
    [nameOf("booked"), defined("booked"), count("appointments", "booked")],
    [nameOf("cancelled_early"), defined("cancelled_early"), count("appointments", "cancelled_early")],
    [nameOf("cancelled_late"), defined("cancelled_late", "expected"), of("cancelled_late")],
    [nameOf("missed"), defined("missed", "expected"), of("missed")],
    [nameOf("kept"), defined("kept"), count("appointments", "kept")],
  ];
  const booked = (/** @type {Group[]} */ groups) => groups.filter(({ appointments }) => appointments.booked !== 0);
  return {
    id: "attendance",
    tiles: [
      tile("missed", now.total, then?.total, of("missed"), ["missed", "expected"]),
      tile("cancelled_late", now.total, then?.total, of("cancelled_late"), ["cancelled_late", "expected"]),
      tile("booked", now.total, then?.total, count("appointments", "booked")),
      tile("cancelled_early", now.total, then?.total, count("appointments", "cancelled_early")),
      tile("kept", now.total, then?.total, count("appointments", "kept")),
      tile("to_come", now.total, null, count("appointments", "to_come")),
      tile("walk_in_no_shows", now.total, then?.total, share("walk_ins", "no_shows"), ["walk_in_no_shows"]),
      tile("walk_in_left", now.total, then?.total, share("walk_ins", "left"), ["walk_in_left"]),
    ],
    tables: [...breakdown(t("insights.services"), t("insights.service"), booked(now.services), (each) => each.name ?? "", columns), ...byProvider({ providers: booked(now.providers) }, columns)],
  };
}

/**
 * @param {Record<string, any>} now
 * @param {Record<string, any> | null} then
 * @param {Record<string, any> | null} access
 * @returns {Partial<Card> & {id: string}}
 */
function accessTo(now, then, access) {
  const leadOf = (/** @type {string} */ field) => (/** @type {Group} */ group) => valueText(fieldOf(group.lead, `${field}_days`), "days");
  const found = (/** @type {any} */ each) => (each.third === null ? t("insights.third.none", { n: access?.days_ahead ?? 0, free: each.free }) : thirdText(each.third));
  const rows = (access?.services ?? []).flatMap((/** @type {any} */ service) => [
    [service.name ?? "", t("insights.heading.any"), found(service)],
    ...service.providers.map((/** @type {any} */ each) => [service.name ?? "", each.name ?? "", found(each)]),
  ]);
  const columns = [{ name: t("insights.service") }, { name: t("insights.provider") }, { name: nameOf("third_next"), definition: defined("third_next") }];
  return {
    id: "access",
    tiles: [tile("lead", now.total, then?.total, leadOf("median"), ["lead", "median"], pair("lead", "median")), tile("lead", now.total, then?.total, leadOf("p90"), ["lead", "p90"], pair("lead", "p90"))],
    tables: rows.length === 0 ? [] : [{ caption: t("insights.heading.third_next"), columns, rows }],
  };
}

/** @param {{local_start: string, days: number}} third */
const thirdText = ({ local_start: start, days }) => t("insights.third.in", { days: valueText(days, "days"), day: shortDayOf(start), time: timeOf(start) });

/** @param {Record<string, any>} now @param {Record<string, any> | null} then @returns {Partial<Card> & {id: string}} */
function times(now, then) {
  /** @type {[string, string, (group: Group) => string][]} */
  const columns = ["walk", "service"].flatMap((part) => ["median", "p90"].map((field) => /** @type {[string, string, (group: Group) => string]} */ ([pair(part, field), defined(part, field), spread(part, field)])));
  columns.push([nameOf("served"), defined("served"), count("service")]);
  return { id: "times", tiles: [...durations("walk", now, then), ...durations("service", now, then)], tables: byEverything(now, columns) };
}

/** @param {Record<string, any>} now @param {Record<string, any> | null} then @returns {Partial<Card> & {id: string}} */
function fairness(now, then) {
  const { reasons } = now.fairness;
  const text = (/** @type {any} */ found) => shareText(fieldOf(found, "out_of_order"), fieldOf(found, "calls"));
  const columns = [{ name: t("insights.reason") }, ...["calls", "passing", "passed"].map((id) => ({ name: nameOf(id), definition: defined(id) }))];
  const rows = reasons.map((/** @type {any} */ each) => [nameOf(`reason_${each.reason}`), ...["calls", "passing", "passed"].map((field) => valueText(fieldOf(each, field), "count"))]);
  return {
    id: "fairness",
    tiles: [tile("out_of_order", now.fairness, then?.fairness, text, ["out_of_order"])],
    tables: rows.length === 0 ? [] : [{ caption: t("insights.reasons"), columns, rows, meanings: reasons.map((/** @type {any} */ each) => defined(`reason_${each.reason}`)) }],
  };
}

const OUTCOMES = ["sent", "delivered", "undelivered", "unknown", "failed", "suppressed", "expired", "withdrawn", "skipped", "open"];

/** @param {Record<string, any>} now @returns {Partial<Card> & {id: string}} */
function messages(now) {
  const found = now.messages;
  if (found === null) return { id: "messages", none: t("insights.filtered") };
  if (found.kinds.length === 0) return { id: "messages", none: t("insights.none") };
  const columns = [{ name: t("insights.kind") }, { name: t("insights.way") }, ...OUTCOMES.map((each) => ({ name: nameOf(`message_${each}`), definition: defined(`message_${each}`) }))];
  const rows = found.kinds.map((/** @type {any} */ each) => [t(`insights.kind.${each.kind}`), t(`insights.way.${each.way}`), ...OUTCOMES.map((outcome) => valueText(fieldOf(each, outcome), "count"))]);
  return {
    id: "messages",
    tiles: ["reminded", "not_reminded"].map((id) => tile(id, found[id], null, (group) => shareText(fieldOf(group, "missed"), fieldOf(group, "appointments")))),
    tables: [{ caption: t("insights.card.messages.lead"), columns, rows }],
  };
}

const SCORES = [1, 2, 3, 4, 5];

/** @param {Record<string, any>} now @returns {Partial<Card> & {id: string}} */
function feedback(now) {
  const found = now.feedback;
  if (found === null) return { id: "feedback", none: t("insights.filtered") };
  if (found.weeks.length === 0) return { id: "feedback", none: t("insights.none") };
  const good = (/** @type {number[] | null} */ scores) => (scores === null ? null : (scores[3] ?? 0) + (scores[4] ?? 0));
  const shares = found.weeks.map((/** @type {any} */ { answers, scores }) => (scores === null ? "few" : Math.round((100 * (good(scores) ?? 0)) / answers)));
  const rows = found.weeks.map((/** @type {any} */ { first_day: day, answers, scores }) => [dayText(day), valueText(answers ?? "few", "count"), ...SCORES.map((score) => valueText(scores === null ? null : scores[score - 1], "count"))]);
  return {
    id: "feedback",
    tiles: [tile("answers", found, null, ({ answers }) => valueText(answers, "count")), tile("scores", found, null, ({ answers, scores }) => shareText(good(scores), answers))],
    plots: [{ title: t("insights.plot.feedback"), definition: defined("scores", "answers"), chart: { of: t("insights.week"), labels: found.weeks.map((/** @type {any} */ { first_day: day }) => dayText(day)), unit: "percent", series: [series(nameOf("scores"), "bar", shares)] } }],
    tables: [{ caption: nameOf("answers"), columns: [{ name: t("insights.week") }, { name: nameOf("answers"), definition: defined("answers") }, ...SCORES.map((score) => ({ name: t("insights.score", { n: score }) }))], rows }],
  };
}
