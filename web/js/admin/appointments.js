/** The section of appointments: the week of each clinician, the dates that differ, and the addresses for calendar programs. */

import { allOf, byPosition } from "../live/cells.js";
import { element, icon, setText, updateList } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { calendarFeedsGroup } from "./calendar-feeds.js";
import { exceptionsGroup } from "./exceptions.js";
import { WrongField, choicesField, formDialog } from "./form-dialog.js";
import { DAYS, nameOfDay } from "./hours.js";
import { addSchedules, likeSchedule, scheduleDialog } from "./schedule-dialog.js";
import { notesOf, offersText, timeText } from "./schedule-texts.js";
import { today } from "./site-date.js";
import { moveList } from "./stranded.js";

/**
 * @typedef {import("../live/cells.js").Schedule} Schedule
 * @typedef {import("../live/view.js").Cells} Cells
 * @typedef {import("./context.js").Context} Context
 * @typedef {Schedule & {id: number}} Listed
 */

const PLUS = "M12 5v14M5 12h14";
const COPY = "M9 9h11v11H9zM5 15H4V4h11v1";

/**
 * @param {HTMLElement} root
 * @param {Context} context
 */
export function open(root, context) {
  const chosen = { provider: Number(new URLSearchParams(location.search).get("provider")) || 0 };
  const week = weekGroup(context, chosen);
  const exceptions = exceptionsGroup(context, chosen);
  const feeds = calendarFeedsGroup(context, chosen);
  const people = element("div", { className: "choice-list people" });
  const field = element("fieldset", { className: "choices field" }, element("legend", {}, t("admin.appointments.who")), people);
  const none = element(
    "p",
    { className: "records-empty" },
    t("admin.appointments.nobody"),
    " ",
    element("a", { href: "/admin/points" }, t("admin.points")),
  );
  const paint = (/** @type {Cells} */ cells) => {
    const providers = /** @type {{id: number, name: string, position: number}[]} */ (allOf(cells, "provider")).sort(byPosition);
    if (!providers.some(({ id }) => id === chosen.provider)) chosen.provider = providers[0]?.id ?? 0;
    none.hidden = providers.length > 0;
    for (const part of [field, week.element, exceptions.element, feeds.element]) part.hidden = providers.length === 0;
    updateList(people, providers, ({ id }) => id, ({ id }) => {
      const input = element("input", { type: "radio", name: "provider", value: String(id) });
      input.addEventListener("change", () => {
        chosen.provider = id;
        paint(context.cells);
      });
      return element("label", { className: "choice" }, input, element("span"));
    }, (row, { id, name }) => {
      const [input, text] = row.children;
      if (input instanceof HTMLInputElement) input.checked = id === chosen.provider;
      if (text !== undefined) setText(text, name);
    });
    week.update(cells);
    exceptions.update(cells);
    feeds.update(cells);
  };
  root.append(none, field, week.element, exceptions.element, feeds.element);
  context.onView(paint);
}

/**
 * Return the week of the chosen clinician: a column for each day, or a row where there is no room for columns.
 *
 * @param {Context} context
 * @param {{provider: number}} chosen
 */
function weekGroup(context, chosen) {
  const heading = element("h2", { id: "week-title" });
  const empty = element("p", { className: "group-lead" }, t("admin.week.empty"));
  const days = DAYS.map((day) => new Day(context, chosen, day));
  const away = element("button", { className: "button", type: "button" }, t("admin.move_list"));
  away.addEventListener("click", () => void moveList(context, { provider: chosen.provider, date: today(context) }));
  const section = element(
    "section",
    { className: "group", "aria-labelledby": heading.id },
    element("div", { className: "group-head" }, heading, away),
    element("p", { className: "group-lead" }, t("admin.week.lead")),
    empty,
    element("div", { className: "week" }, ...days.map((each) => each.element)),
  );
  return {
    element: section,
    update: (/** @type {Cells} */ cells) => {
      setText(heading, t("admin.week", { name: cells.get(`provider:${chosen.provider}`)?.name ?? "" }));
      const schedules = schedulesOf(context, chosen.provider);
      empty.hidden = schedules.length > 0;
      for (const day of days) day.update(cells, schedules);
    },
  };
}

/**
 * Return the weekly times of a clinician that are not over, by their hours.
 *
 * @param {Context} context
 * @param {number} provider
 */
function schedulesOf(context, provider) {
  const now = today(context);
  const all = /** @type {Listed[]} */ (allOf(context.cells, "schedule"));
  return all
    .filter((each) => each.provider === provider)
    .filter(({ valid_from: from, valid_until: until }) => until === null || (until >= from && until >= now))
    .sort((one, other) => one.from_minute - other.from_minute || one.valid_from.localeCompare(other.valid_from));
}

/** One weekday of a clinician. */
class Day {
  #context;
  #chosen;
  #day;
  #list = element("ul", { className: "week-times" });
  #none = element("p", { className: "week-none" }, t("admin.week.none"));
  #copy;

  /**
   * @param {Context} context
   * @param {{provider: number}} chosen
   * @param {number} day
   */
  constructor(context, chosen, day) {
    this.#context = context;
    this.#chosen = chosen;
    this.#day = day;
    const name = nameOfDay(day);
    const add = element("button", { className: "button is-quiet week-button", type: "button", title: t("admin.schedule.add"), "aria-label": t("admin.week.add", { day: name }) }, icon(PLUS));
    add.addEventListener("click", () => void scheduleDialog(context, { provider: chosen.provider, weekday: day }));
    this.#copy = element("button", { className: "button is-quiet week-button", type: "button", title: t("admin.week.copy.short"), "aria-label": t("admin.week.copy", { day: name }) }, icon(COPY));
    this.#copy.addEventListener("click", () => void this.#copyDay());
    this.element = element(
      "section",
      { className: "week-day", "aria-label": name },
      element("div", { className: "week-head" }, element("h3", {}, name), this.#copy, add),
      this.#none,
      this.#list,
    );
    this.element.dataset.day = String(day);
  }

  /** @param {Listed[]} schedules */
  #mine = (schedules) => schedules.filter(({ weekday }) => weekday === this.#day);

  /**
   * @param {Cells} cells
   * @param {Listed[]} schedules
   */
  update(cells, schedules) {
    const mine = this.#mine(schedules);
    this.#none.hidden = mine.length > 0;
    this.#copy.hidden = mine.length === 0;
    updateList(this.#list, mine, ({ id }) => id, ({ id }) => {
      const button = element("button", { className: "week-time", type: "button" }, element("strong"), element("span"), element("span", { className: "week-notes" }));
      button.addEventListener("click", () => void scheduleDialog(this.#context, { provider: this.#chosen.provider, weekday: this.#day, id }));
      const row = element("li", {}, button);
      row.dataset.schedule = String(id);
      return row;
    }, (row, schedule) => {
      const [times, offers, notes] = row.firstElementChild?.children ?? [];
      if (times === undefined || offers === undefined || notes === undefined) return;
      setText(times, `${timeText(schedule.from_minute)} – ${timeText(schedule.until_minute)}`);
      setText(offers, offersText(schedule, cells));
      setText(notes, notesOf(schedule, cells, today(this.#context)).join(" · "));
      row.classList.toggle("is-later", schedule.valid_from > today(this.#context));
    });
  }

  async #copyDay() {
    const mine = this.#mine(schedulesOf(this.#context, this.#chosen.provider));
    const others = DAYS.filter((day) => day !== this.#day);
    const days = choicesField(t("admin.week.copy.to"), others.map((day) => [day, nameOfDay(day)]), []);
    await formDialog({
      title: t("admin.week.copy", { day: nameOfDay(this.#day) }),
      lead: t("admin.week.copy.lead"),
      parts: [days.element],
      yes: t("admin.week.copy.yes"),
      submit: async () => {
        if (days.chosen().length === 0) throw new WrongField(t("admin.week.copy.error"));
        const now = today(this.#context);
        const bodies = days.chosen().flatMap((weekday) =>
          mine.map((each) => likeSchedule(each, { weekday, valid_from: each.valid_from > now ? each.valid_from : now })),
        );
        await addSchedules(this.#context, bodies, t("admin.week.copied", { n: bodies.length }));
        return true;
      },
    });
  }
}
