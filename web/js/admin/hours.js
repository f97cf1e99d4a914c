/** The opening hours: each weekday with any number of spans, and the days on which the site stays closed. */

import { errorMessage } from "../desk/error-messages.js";
import { element, setText, updateList } from "../shared/dom.js";
import { currentLanguage, t } from "../shared/i18n.js";
import { clockText, minutesOf } from "./fields.js";

/**
 * @typedef {import("../live/cells.js").ConfigurationSite} Site
 * @typedef {import("./context.js").Context} Context
 * @typedef {[from: number, until: number]} Span  minutes after midnight
 */

export const DAYS = [0, 1, 2, 3, 4, 5, 6];
const WORKDAYS = [0, 1, 2, 3, 4];
/** The usual hours, which a click sets for a start. @type {Span} */
const USUAL = [8 * 60, 18 * 60];
const MONDAY_MS = Date.UTC(2024, 0, 1);
const DAY_MS = 24 * 3600_000;
const MIDNIGHT = 24 * 60;

/** Return the name of a weekday: 0 is Monday. @param {number} day */
export const nameOfDay = (day) => new Intl.DateTimeFormat(currentLanguage(), { weekday: "long", timeZone: "UTC" }).format(MONDAY_MS + day * DAY_MS);

/**
 * Return the end of a span for a field of time, which has no 24:00: midnight is 00:00.
 *
 * @param {number} minutes
 */
const endText = (minutes) => clockText(minutes % MIDNIGHT);

/**
 * @param {number[][]} hours
 * @param {number} day
 * @returns {Span[]}
 */
const spansOf = (hours, day) =>
  hours
    .filter(([weekday]) => weekday === day)
    .map(([, from = 0, until = 0]) => /** @type {Span} */ ([from, until]))
    .sort(([one], [two]) => one - two);

/**
 * Return the editor of the opening hours and the closed days.
 *
 * @param {Context} context
 * @returns {HTMLElement}
 */
export function hoursEditor(context) {
  const days = DAYS.map((day) => new DayEditor(context, day));
  const always = element("p", { className: "group-lead" }, t("admin.hours.always"));
  const table = element("div", { className: "hours" }, ...days.map((each) => each.element));
  const start = element("button", { className: "button", type: "button" }, t("admin.hours.set"));
  const end = element("button", { className: "button is-quiet", type: "button" }, t("admin.hours.open_always"));
  start.addEventListener("click", () => void save(context, WORKDAYS.map((day) => [day, ...USUAL])));
  end.addEventListener("click", () => void save(context, []));
  const heading = element("h2", { id: "hours-title" }, t("admin.hours"));
  const section = element(
    "section",
    { className: "group", "aria-labelledby": heading.id },
    heading,
    always,
    table,
    element("p", {}, start, end),
    closedDays(context),
  );
  context.onView((cells) => {
    const hours = hoursIn(cells);
    always.hidden = hours.length > 0;
    table.hidden = hours.length === 0;
    start.hidden = hours.length > 0;
    end.hidden = hours.length === 0;
    for (const each of days) each.update(spansOf(hours, each.day));
  });
  return section;
}

/** @param {import("../live/view.js").Cells} cells @returns {number[][]} */
const hoursIn = (cells) => cells.get("site")?.rules.hours ?? [];

/**
 * Save all hours. Returns whether they are saved.
 *
 * @param {Context} context
 * @param {number[][]} hours
 * @returns {Promise<boolean>}
 */
async function save(context, hours) {
  const order = (/** @type {number[][]} */ given) => ({ command: "change-site", body: { site_id: context.site.id, hours: given } });
  try {
    return (await context.change({ ...order(hours), undo: order(hoursIn(context.cells)) })) !== null;
  } catch (error) {
    context.complain(error);
    return false;
  }
}

/** One weekday with its spans. */
class DayEditor {
  #context;
  /** @type {Span[]} */
  #known = [];
  #list = element("ul", { className: "hours-spans" });
  #closed = element("span", { className: "hours-closed" }, t("admin.hours.closed"));
  #error = element("p", { className: "field-error", role: "alert" });
  #note = element("p", { className: "field-note", role: "status" });

  /**
   * @param {Context} context
   * @param {number} day
   */
  constructor(context, day) {
    this.#context = context;
    this.day = day;
    const name = nameOfDay(day);
    const add = element("button", { className: "button is-quiet", type: "button", "aria-label": t("admin.hours.add.name", { day: name }) }, t("admin.hours.add"));
    add.addEventListener("click", () => void this.#add());
    const copy = element("button", { className: "button is-quiet", type: "button" }, t("admin.hours.copy"));
    copy.hidden = day !== 0;
    copy.addEventListener("click", () => void this.#copy());
    this.element = element(
      "div",
      { className: "hours-day", role: "group", "aria-label": name },
      element("span", { className: "hours-name" }, name),
      element("div", { className: "hours-times" }, this.#closed, this.#list, this.#error, this.#note),
      element("div", { className: "hours-actions" }, add, copy),
    );
    this.element.dataset.day = String(day);
  }

  /** The spans in the inputs; null where one is no time. */
  get #typed() {
    return Array.from(this.#list.children, (row) => {
      const [from, until] = Array.from(row.querySelectorAll("input"), ({ value }) => minutesOf(value));
      return from == null || until == null ? null : /** @type {Span} */ ([from, until === 0 ? MIDNIGHT : until]);
    });
  }

  get #dirty() {
    return JSON.stringify(this.#typed) !== JSON.stringify(this.#known);
  }

  /** @param {Span[]} spans */
  update(spans) {
    if (JSON.stringify(spans) === JSON.stringify(this.#known)) return;
    const keep = this.#dirty && this.element.contains(document.activeElement);
    this.#known = spans;
    if (!keep) this.#show(spans);
    setText(this.#note, keep && this.#dirty ? t("admin.field.changed", { value: spans.map(([from, until]) => `${clockText(from)}–${endText(until)}`).join(", ") || t("admin.hours.closed") }) : "");
  }

  /** @param {Span[]} spans */
  #show(spans) {
    this.#complain("");
    setText(this.#note, "");
    this.#closed.hidden = spans.length > 0;
    updateList(this.#list, spans.map((span, index) => ({ span, index })), ({ index }) => index, () => this.#row(), (row, { span: [from, until] }) => {
      const [one, two] = row.querySelectorAll("input");
      if (one !== undefined) one.value = clockText(from);
      if (two !== undefined) two.value = endText(until);
    });
  }

  #row() {
    const field = (/** @type {string} */ label) => element("input", { type: "time", required: true, "aria-label": label });
    const remove = element("button", { className: "button is-quiet hours-remove", type: "button", "aria-label": t("admin.hours.remove") }, "✕");
    const row = element("li", {}, field(t("admin.hours.from")), element("span", { "aria-hidden": "true" }, "–"), field(t("admin.hours.until")), remove);
    remove.addEventListener("click", () => {
      row.remove();
      void this.#commit();
    });
    row.addEventListener("change", () => void this.#commit());
    row.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#dirty) this.#show(this.#known);
    });
    return row;
  }

  /** @param {string} text */
  #complain(text) {
    setText(this.#error, text);
  }

  async #commit() {
    const spans = this.#typed;
    const known = /** @type {Span[]} */ (spans.filter((span) => span !== null)).sort(([one], [two]) => one - two);
    if (known.length < spans.length) return; // half a time: the user goes on typing
    const wrong = known.find(([from, until], index) => from >= until || from < (known[index - 1]?.[1] ?? 0));
    this.#complain(wrong === undefined ? "" : t(wrong[0] >= wrong[1] ? "admin.hours.error.order" : "admin.hours.error.overlap"));
    if (wrong !== undefined || !this.#dirty) return;
    if (!(await this.#save(known, [this.day]))) this.#show(this.#known);
  }

  /**
   * Save spans for some days.
   *
   * @param {Span[]} spans
   * @param {number[]} days
   */
  #save(spans, days) {
    const others = hoursIn(this.#context.cells).filter(([day = 0]) => !days.includes(day));
    const all = [...others, ...days.flatMap((day) => spans.map(([from, until]) => [day, from, until]))];
    return save(this.#context, all.sort(([one = 0, from = 0], [two = 0, other = 0]) => one - two || from - other));
  }

  async #add() {
    const last = this.#known.at(-1)?.[1];
    const from = last === undefined ? USUAL[0] : Math.min(last + 60, MIDNIGHT - 60);
    const until = last === undefined ? USUAL[1] : Math.min(from + 4 * 60, MIDNIGHT);
    if (from < (last ?? 0) || !(await this.#save([...this.#known, [from, until]], [this.day]))) return;
    this.#list.lastElementChild?.querySelector("input")?.focus();
  }

  async #copy() {
    await this.#save(this.#known, WORKDAYS);
  }
}

/**
 * Return the list of days on which the site stays closed.
 *
 * @param {Context} context
 */
function closedDays(context) {
  const list = element("ul", { className: "closed-days" });
  const date = element("input", { type: "date", id: "closed-day", required: true, "aria-describedby": "closed-day-error" });
  const error = element("p", { className: "field-error", id: "closed-day-error", role: "alert" });
  const form = element(
    "form",
    { className: "add-row", noValidate: true },
    element("div", { className: "field" }, element("label", { htmlFor: date.id }, t("admin.closed.add")), date, error),
    element("button", { className: "button", type: "submit" }, t("admin.add")),
  );
  const days = () => /** @type {string[]} */ (context.cells.get("site")?.rules.closed_on ?? []);
  const order = (/** @type {string[]} */ closed) => ({ command: "change-site", body: { site_id: context.site.id, closed_on: closed } });
  const change = async (/** @type {string[]} */ after) => {
    setText(error, "");
    try {
      return (await context.change({ ...order(after.sort()), undo: order(days()) })) !== null;
    } catch (refusal) {
      setText(error, errorMessage(refusal));
      return false;
    }
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!date.value) setText(error, t("admin.closed.error"));
    else if (days().includes(date.value)) setText(error, t("admin.closed.error.known"));
    else if (await change([...days(), date.value])) date.value = "";
    date.focus();
  });
  const format = new Intl.DateTimeFormat(currentLanguage(), { weekday: "short", day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
  context.onView(() => {
    updateList(list, days(), (day) => day, (day) => {
      const text = format.format(Date.parse(day));
      const remove = element("button", { className: "button is-quiet", type: "button", "aria-label": t("admin.closed.remove", { day: text }) }, "✕");
      remove.addEventListener("click", () => void change(days().filter((each) => each !== day)));
      return element("li", {}, element("span", {}, text), remove);
    }, () => {});
  });
  return element(
    "div",
    { className: "group-part" },
    element("h3", {}, t("admin.closed")),
    element("p", { className: "group-lead" }, t("admin.closed.lead")),
    list,
    form,
  );
}
