/** The dates that are not like every week: closed times, extra times, and closed days of the whole clinic. */

import { allOf } from "../live/cells.js";
import { element, icon, setText, updateList } from "../shared/dom.js";
import { currentLanguage, t } from "../shared/i18n.js";
import { dateAfter, dayOf } from "../shared/local-time.js";
import { WrongField, choice, choicesField, formDialog, labelledField, measuredField, wholeNumber } from "./form-dialog.js";
import { clockText } from "./fields.js";
import { choicesOf } from "./schedule-dialog.js";
import { offersText, timeText } from "./schedule-texts.js";
import { today } from "./site-date.js";
import { changeHours } from "./stranded.js";

/**
 * @typedef {import("../live/cells.js").Exception} Exception
 * @typedef {import("../live/view.js").Cells} Cells
 * @typedef {import("./context.js").Context} Context
 * @typedef {Exception & {id: number}} Listed
 */

const MIDNIGHT = 24 * 60;
const MOST_DAYS = 62;
const BACK = "M15 5l-7 7 7 7";
const ON = "M9 5l7 7-7 7";

/**
 * Return the list and the month of these dates, for the chosen clinician and the whole clinic.
 *
 * @param {Context} context
 * @param {{provider: number}} chosen
 */
export function exceptionsGroup(context, chosen) {
  const heading = element("h2", { id: "exceptions-title" }, t("admin.exceptions"));
  const button = (/** @type {string} */ text, /** @type {() => unknown} */ run) => {
    const made = element("button", { className: "button", type: "button" }, text);
    made.addEventListener("click", () => void run());
    return made;
  };
  const list = element("ul", { className: "exceptions" });
  const empty = element("p", { className: "records-empty" }, t("admin.exceptions.empty"));
  const month = new Month(context, (date) => exceptionDialog(context, { kind: "closed", provider: chosen.provider, date }));
  const section = element(
    "section",
    { className: "group", "aria-labelledby": heading.id },
    heading,
    element("p", { className: "group-lead" }, t("admin.exceptions.lead")),
    element(
      "div",
      { className: "button-row" },
      button(t("admin.exception.close"), () => exceptionDialog(context, { kind: "closed", provider: chosen.provider, date: today(context) })),
      button(t("admin.exception.extra"), () => exceptionDialog(context, { kind: "extra", provider: chosen.provider, date: today(context) })),
      button(t("admin.holidays"), () => holidaysDialog(context)),
    ),
    element("div", { className: "exceptions-columns" }, month.element, element("div", {}, empty, list)),
  );
  return {
    element: section,
    update: (/** @type {Cells} */ cells) => {
      const all = datesOf(context, chosen.provider);
      empty.hidden = all.length > 0;
      updateList(list, all, ({ key }) => key, (each) => rowOf(context, each), (row, { exception, date }) => {
        const [when, what] = row.querySelectorAll("[data-text-of]");
        if (when !== undefined) setText(when, dayOf(date));
        if (what !== undefined) setText(what, whatText(exception, cells));
      });
      month.update(all);
    },
  };
}

/**
 * @typedef {{key: string, date: string, exception: Listed | null}} Marked  a date; without an exception the clinic is closed
 */

/**
 * Return the coming dates that a clinician or the whole clinic is closed or open beside the usual hours.
 *
 * @param {Context} context
 * @param {number} provider
 * @returns {Marked[]}
 */
function datesOf(context, provider) {
  const { cells } = context;
  const now = today(context);
  const closed = /** @type {string[]} */ (cells.get("site")?.rules.closed_on ?? []);
  const exceptions = /** @type {Listed[]} */ (allOf(cells, "exception")).filter((each) => each.provider === null || each.provider === provider);
  return [
    ...closed.map((date) => ({ key: `closed/${date}`, date, exception: null })),
    ...exceptions.map((exception) => ({ key: `exception/${exception.id}`, date: exception.date, exception })),
  ]
    .filter(({ date }) => date >= now)
    .sort((one, other) => one.date.localeCompare(other.date) || (one.exception?.from_minute ?? 0) - (other.exception?.from_minute ?? 0));
}

/** @param {Listed} exception */
const isWholeDay = ({ from_minute: from, until_minute: until }) => from === 0 && until === MIDNIGHT;

/**
 * Return what is different on a date, in words.
 *
 * @param {Listed | null} exception
 * @param {Cells} cells
 */
function whatText(exception, cells) {
  if (exception === null) return t("admin.exceptions.closed_day");
  const { provider, kind, from_minute: from, until_minute: until, reason } = exception;
  const who = provider === null ? t("admin.exceptions.everybody") : (cells.get(`provider:${provider}`)?.name ?? "");
  const times = isWholeDay(exception) ? t("admin.exceptions.whole_day") : `${timeText(from)} – ${timeText(until)}`;
  return [times, who, ...(kind === "extra" ? [offersText(exception, cells)] : []), reason].join(" · ");
}

/**
 * @param {Context} context
 * @param {Marked} marked
 */
function rowOf(context, { date, exception }) {
  const kind = exception?.kind ?? "closed";
  const remove = element("button", { className: "button is-quiet hours-remove", type: "button", "aria-label": t("admin.exceptions.remove", { day: dayOf(date) }) }, "✕");
  remove.addEventListener("click", async () => {
    try {
      if (exception === null) await reopen(context, date);
      else await removeException(context, exception);
    } catch (error) {
      context.complain(error);
    }
  });
  const when = element("strong");
  const what = element("span");
  for (const each of [when, what]) each.dataset.textOf = "";
  const row = element("li", {}, element("span", { className: `exception-kind is-${kind}` }, t(`admin.exceptions.${kind}`)), element("div", { className: "exception-text" }, when, what), remove);
  row.dataset.date = date;
  return row;
}

/** @param {Context} context @returns {string[]} */
const closedDays = (context) => context.cells.get("site")?.rules.closed_on ?? [];

/**
 * Return the order that makes these the closed days of the clinic.
 *
 * @param {Context} context
 * @param {string[]} closed_on
 */
const closingOrder = (context, closed_on) => ({ command: "change-site", body: { site_id: context.site.id, closed_on: [...new Set(closed_on)].sort() } });

/** @param {Context} context @param {string} date */
const reopen = (context, date) =>
  context.change({ ...closingOrder(context, closedDays(context).filter((each) => each !== date)), undo: closingOrder(context, closedDays(context)) });

/** @param {Context} context @param {Listed} exception */
function removeException(context, exception) {
  const undo = { command: "add-exception", body: bodyLike(context, exception) };
  return changeHours(context, { command: "remove-exception", body: { exception_id: exception.id }, said: t("admin.exceptions.removed"), undo }, exception.provider);
}

/** @param {Context} context @param {Listed} exception */
function bodyLike(context, exception) {
  const common = { site_id: context.site.id, provider_id: exception.provider, date: exception.date, kind: exception.kind, from: clockText(exception.from_minute), until: clockText(exception.until_minute), reason: exception.reason };
  if (exception.kind === "closed") return common;
  return { ...common, service_ids: exception.services, slot_minutes: exception.slot_minutes, capacity: exception.capacity, point_id: exception.point, buffer_minutes: exception.buffer_minutes };
}

/**
 * Open the dialog that closes times of some dates, or adds an extra time.
 *
 * @param {Context} context
 * @param {{kind: "closed" | "extra", provider: number, date: string}} about
 */
async function exceptionDialog(context, { kind, provider, date }) {
  const extra = kind === "extra";
  const people = choicesOf(context, "provider");
  const who = choice([...(extra ? [] : [/** @type {const} */ (["", t("admin.exceptions.everybody")])]), ...people], provider);
  const first = element("input", { type: "date", required: true, min: today(context), value: date });
  const last = element("input", { type: "date", min: today(context) });
  const whole = element("input", { type: "checkbox", checked: !extra });
  const from = element("input", { type: "time", required: true, step: "300", value: extra ? "17:00" : "12:00" });
  const until = element("input", { type: "time", required: true, step: "300", value: extra ? "19:00" : "13:00" });
  const reason = element("input", { required: true, minLength: 3, maxLength: 200, autocomplete: "off" });
  const services = choicesOf(context, "service");
  const offered = choicesField(t("admin.schedule.services"), services, services.map(([id]) => id));
  const slot = wholeNumber(15, 5, 720, 5);
  const capacity = wholeNumber(1, 1, 50);
  const times = element("div", { className: "field-pair" }, labelledField(t("admin.hours.from"), from), labelledField(t("admin.hours.until"), until));
  const showTimes = () => (times.hidden = whole.checked);
  whole.addEventListener("change", showTimes);
  showTimes();
  await formDialog({
    title: t(extra ? "admin.exception.extra.title" : "admin.exception.close.title"),
    lead: t(extra ? "admin.exception.extra.lead" : "admin.exception.close.lead"),
    wide: extra,
    parts: [
      labelledField(t("admin.exceptions.who"), who),
      element(
        "div",
        { className: "field-pair" },
        labelledField(t("admin.exceptions.first"), first),
        ...(extra ? [] : [labelledField(t("admin.exceptions.last"), last, t("admin.exceptions.last.hint"))]),
      ),
      ...(extra ? [] : [element("label", { className: "check" }, whole, element("span", {}, t("admin.exceptions.whole_day")))]),
      times,
      ...(extra
        ? [offered.element, element("div", { className: "field-pair" }, measuredField(t("admin.schedule.slot"), slot, t("admin.minutes")), measuredField(t("admin.schedule.capacity"), capacity, t("admin.schedule.capacity.unit")))]
        : []),
      labelledField(t("admin.exceptions.reason"), reason, t("admin.exceptions.reason.hint")),
    ],
    yes: t(extra ? "admin.exception.extra.yes" : "admin.exception.close.yes"),
    submit: async () => {
      const end = until.value === "00:00" ? "24:00" : until.value;
      if (!whole.checked && end <= from.value) throw new WrongField(t("admin.hours.error.order"));
      const dates = datesBetween(first.value, last.value || first.value);
      if (dates.length === 0 || dates.length > MOST_DAYS) throw new WrongField(t("admin.exceptions.error.dates", { n: MOST_DAYS }));
      if (extra && offered.chosen().length === 0) throw new WrongField(t("admin.schedule.error.services"));
      const provider_id = who.value === "" ? null : Number(who.value);
      const common = {
        site_id: context.site.id,
        provider_id,
        kind,
        reason: reason.value.trim(),
        ...(whole.checked ? {} : { from: from.value, until: end }),
        ...(extra ? { service_ids: offered.chosen(), slot_minutes: Number(slot.value), capacity: Number(capacity.value) } : {}),
      };
      return addExceptions(context, dates.map((each) => ({ ...common, date: each })), provider_id);
    },
  });
}

/**
 * Add an exception for each date. What the user answers about stranded appointments holds for all of them. Returns whether
 * all are added.
 *
 * @param {Context} context
 * @param {Record<string, unknown>[]} bodies
 * @param {number | null} provider
 */
async function addExceptions(context, bodies, provider) {
  /** @type {number[]} */
  const added = [];
  /** @type {import("./stranded.js").Wish} */
  const wish = {};
  for (const body of bodies) {
    const answer = await changeHours(context, { command: "add-exception", body }, provider, wish);
    if (answer === null) return added.length > 0;
    added.push(Number(/** @type {any} */ (answer.events.find(({ type }) => type === "exception-added"))?.exception.id));
  }
  const undo = async () => {
    for (const exception_id of added) await context.send("remove-exception", { exception_id });
    context.say(t("admin.undone"));
  };
  context.say(t("admin.exceptions.added", { n: added.length }), wish.stranded === "cancel" ? null : undo);
  return true;
}

/**
 * Return the dates from one to another.
 *
 * @param {string} first
 * @param {string} last
 */
function datesBetween(first, last) {
  const dates = [];
  for (let date = first; date <= last && dates.length <= MOST_DAYS; date = dateAfter(date, 1)) dates.push(date);
  return dates;
}

/**
 * Propose the public holidays of the country. Only the chosen dates are stored.
 *
 * @param {Context} context
 */
async function holidaysDialog(context) {
  const year = Number(today(context).slice(0, 4));
  const years = choice([year, year + 1, year + 2].map((each) => [each, String(each)]), year);
  const lead = element("p", { className: "dialog-lead" });
  const list = element("div", { className: "choice-list is-column holidays" });
  const all = element("button", { className: "button is-quiet", type: "button" }, t("admin.holidays.all"));
  const boxes = () => Array.from(list.querySelectorAll("input"), (box) => box);
  all.addEventListener("click", () => boxes().forEach((box) => (box.checked = true)));
  const load = async () => {
    list.setAttribute("aria-busy", "true");
    try {
      const { country, data } = await context.ask(`/api/v1/sites/${context.site.id}/holidays?year=${years.value}`);
      const names = new Intl.DisplayNames([currentLanguage()], { type: "region" });
      setText(lead, country === null ? t("admin.holidays.none") : t("admin.holidays.lead", { country: names.of(country) ?? country }));
      const coming = data.filter((/** @type {{date: string}} */ { date }) => date >= today(context));
      all.hidden = coming.length === 0;
      list.replaceChildren(
        ...coming.map((/** @type {{date: string, name: string}} */ { date, name }) => {
          const closed = closedDays(context).includes(date);
          const box = element("input", { type: "checkbox", value: date, checked: closed, disabled: closed });
          const text = element("span", {}, element("strong", {}, dayOf(date)), element("span", {}, closed ? `${name} · ${t("admin.holidays.closed")}` : name));
          return element("label", { className: "choice is-tall" }, box, text);
        }),
      );
    } catch (error) {
      context.complain(error);
    }
    list.removeAttribute("aria-busy");
  };
  years.addEventListener("change", () => void load());
  await load();
  await formDialog({
    title: t("admin.holidays.title"),
    parts: [lead, element("div", { className: "group-head holidays-head" }, labelledField(t("admin.holidays.year"), years), all), list],
    yes: t("admin.holidays.yes"),
    submit: async () => {
      const chosen = boxes().filter((box) => box.checked && !box.disabled).map(({ value }) => value);
      if (chosen.length === 0) throw new WrongField(t("admin.holidays.error"));
      const before = closedDays(context);
      const change = { ...closingOrder(context, [...before, ...chosen]), undo: closingOrder(context, before), said: t("admin.exceptions.added", { n: chosen.length }) };
      return (await changeHours(context, change)) !== null;
    },
  });
}

/** One month: the days that differ are marked, and any coming day can be closed. */
class Month {
  #context;
  #open;
  #first = "";
  /** @type {Marked[]} */
  #marked = [];
  #title = element("h3", { "aria-live": "polite" });
  #days = element("div", { className: "month-days" });

  /**
   * @param {Context} context
   * @param {(date: string) => unknown} open
   */
  constructor(context, open) {
    this.#context = context;
    this.#open = open;
    const step = (/** @type {number} */ months, /** @type {string} */ text, /** @type {string} */ path) => {
      const button = element("button", { className: "button is-quiet week-button", type: "button", "aria-label": t(text) }, icon(path));
      button.addEventListener("click", () => {
        const [year = 0, month = 0] = this.#first.split("-").map(Number);
        this.#show(new Date(Date.UTC(year, month - 1 + months, 1)).toISOString().slice(0, 10));
      });
      return button;
    };
    const back = step(-1, "admin.month.back", BACK);
    const on = step(1, "admin.month.on", ON);
    const format = new Intl.DateTimeFormat(currentLanguage(), { weekday: "narrow", timeZone: "UTC" });
    const names = Array.from({ length: 7 }, (_, day) => element("span", { "aria-hidden": "true" }, format.format(Date.UTC(2024, 0, 1 + day))));
    this.element = element("div", { className: "month" }, element("div", { className: "month-head" }, back, this.#title, on), element("div", { className: "month-names" }, ...names), this.#days);
  }

  /** @param {Marked[]} marked */
  update(marked) {
    this.#marked = marked;
    this.#show(this.#first || `${today(this.#context).slice(0, 7)}-01`);
  }

  /** @param {string} first */
  #show(first) {
    this.#first = first;
    const start = new Date(`${first}T00:00Z`);
    setText(this.#title, new Intl.DateTimeFormat(currentLanguage(), { month: "long", year: "numeric", timeZone: "UTC" }).format(start));
    const length = new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 0)).getUTCDate();
    const dates = Array.from({ length }, (_, index) => dateAfter(first, index));
    const now = today(this.#context);
    updateList(this.#days, dates, (date) => date, (date) => {
      const day = element("button", { className: "month-day", type: "button" }, String(Number(date.slice(8))));
      day.addEventListener("click", () => void this.#open(date));
      return day;
    }, (day, date) => {
      const kinds = new Set(this.#marked.filter((each) => each.date === date).map(({ exception }) => exception?.kind ?? "closed"));
      day.disabled = date < now;
      day.classList.toggle("is-today", date === now);
      day.classList.toggle("is-closed", kinds.has("closed"));
      day.classList.toggle("is-extra", kinds.has("extra"));
      const words = [dayOf(date), ...["closed", "extra"].filter((kind) => kinds.has(/** @type {"closed"} */ (kind))).map((kind) => t(`admin.exceptions.${kind}`))];
      day.setAttribute("aria-label", words.join(", "));
      day.style.gridColumnStart = date === first ? String(((start.getUTCDay() + 6) % 7) + 1) : "";
    });
  }
}
