/** The dialog of one weekly time: a new one, or a change from a date on. */

import { allOf, byPosition } from "../live/cells.js";
import { element } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { dateAfter, dayOf } from "../shared/local-time.js";
import { clockText } from "./fields.js";
import { WrongField, choice, choicesField, formDialog, labelledField, measuredField, wholeNumber } from "./form-dialog.js";
import { DAYS, nameOfDay } from "./hours.js";
import { today } from "./site-date.js";
import { changeHours } from "./stranded.js";

/**
 * @typedef {import("../live/cells.js").Schedule} Schedule
 * @typedef {import("./context.js").Context} Context
 */

const HOUR = 60;
const MIDNIGHT = 24 * HOUR;

/**
 * Return the fields of `add-schedule` that make a schedule like this one, with changes.
 *
 * @param {Schedule} schedule
 * @param {Record<string, unknown>} changes
 */
export const likeSchedule = (schedule, changes) => ({
  provider_id: schedule.provider,
  service_ids: schedule.services,
  weekday: schedule.weekday,
  from: clockText(schedule.from_minute),
  until: clockText(schedule.until_minute),
  slot_minutes: schedule.slot_minutes,
  capacity: schedule.capacity,
  every_n_weeks: schedule.every_n_weeks,
  anchor_date: schedule.anchor_date,
  valid_from: schedule.valid_from,
  valid_until: schedule.valid_until,
  point_id: schedule.point,
  buffer_minutes: schedule.buffer_minutes,
  notice_minutes: schedule.notice_minutes,
  days_ahead: schedule.days_ahead,
  opens_before: schedule.opens_before,
  ...changes,
});

/** @param {Context} context @param {string} kind @param {string} [name] */
export const choicesOf = (context, kind, name = "name") =>
  /** @type {any[]} */ (allOf(context.cells, kind)).sort(byPosition).map((each) => /** @type {[number, string]} */ ([each.id, each[name] ?? each.name]));

/**
 * Add weekly times, with one undo.
 *
 * @param {Context} context
 * @param {Record<string, unknown>[]} bodies  of `add-schedule`, without the site
 * @param {string} said
 */
export const addSchedules = (context, bodies, said) => context.together(addAll(context, bodies, said));

/**
 * @param {Context} context
 * @param {Record<string, unknown>[]} bodies
 * @param {string} said
 */
async function addAll(context, bodies, said) {
  /** @type {{id: number, from: string}[]} */
  const added = [];
  for (const body of bodies) {
    const answer = await context.send("add-schedule", { site_id: context.site.id, ...body });
    added.push({ ...idIn(answer), from: String(body.valid_from) });
  }
  context.say(said, async () => {
    // A time that ends before its first day never was.
    for (const { id, from } of added) await context.send("end-schedule", { schedule_id: id, last_date: dateAfter(from > today(context) ? from : today(context), -1) });
    context.say(t("admin.undone"));
  });
}

/** @param {{events: any[]}} answer */
const idIn = ({ events }) => ({ id: Number(events.find(({ type }) => type === "schedule-added")?.schedule.id) });

/**
 * Open the dialog of a weekly time.
 *
 * @param {Context} context
 * @param {{provider: number, weekday: number, id?: number}} about  `id` names the time to change
 */
export async function scheduleDialog(context, { provider, weekday, id }) {
  const before = id === undefined ? null : /** @type {Schedule | undefined} */ (context.cells.get(`schedule:${id}`)) ?? null;
  const latest = latestOf(context, provider);
  const services = choicesOf(context, "service", "name");
  const usual = before ?? latest;
  const day = choice(DAYS.map((each) => [each, nameOfDay(each)]), before?.weekday ?? weekday);
  const from = element("input", { type: "time", required: true, step: "300", value: clockText(before?.from_minute ?? 9 * HOUR) });
  const until = element("input", { type: "time", required: true, step: "300", value: clockText((before?.until_minute ?? 12 * HOUR) % MIDNIGHT) });
  const offered = choicesField(t("admin.schedule.services"), services, usual?.services ?? services.map(([each]) => each));
  const slot = wholeNumber(usual?.slot_minutes ?? 15, 5, 720, 5);
  const begin = element("input", { type: "date", required: true, min: today(context), value: before === null || before.valid_from < today(context) ? today(context) : before.valid_from });
  const end = element("input", { type: "date", min: today(context), value: before?.valid_until ?? "" });
  const capacity = wholeNumber(usual?.capacity ?? 1, 1, 50);
  const buffer = wholeNumber(usual?.buffer_minutes ?? 0, 0, 240, 5);
  const weeks = wholeNumber(before?.every_n_weeks ?? 1, 1, 52);
  const notice = wholeNumber(Math.round((usual?.notice_minutes ?? 0) / HOUR), 0, 720);
  const ahead = wholeNumber(usual?.days_ahead ?? 0, 0, 730);
  const opens = wholeNumber(Math.round((usual?.opens_before ?? 0) / HOUR), 0, 720);
  const rooms = choicesOf(context, "point");
  const point = choice([/** @type {const} */ (["", t("admin.schedule.room.none")]), ...rooms], before?.point ?? "");
  const more = element(
    "details",
    { className: "dialog-more", open: before !== null && isUnusual(before) },
    element("summary", {}, t("admin.schedule.more")),
    element(
      "div",
      { className: "group-fields" },
      labelledField(t("admin.schedule.room"), point, t("admin.schedule.room.hint")),
      measuredField(t("admin.schedule.capacity"), capacity, t("admin.schedule.capacity.unit"), t("admin.schedule.capacity.hint")),
      measuredField(t("admin.schedule.buffer"), buffer, t("admin.minutes"), t("admin.schedule.buffer.hint")),
      measuredField(t("admin.schedule.weeks"), weeks, t("admin.schedule.weeks.unit"), t("admin.schedule.weeks.hint")),
      measuredField(t("admin.schedule.notice"), notice, t("admin.hours.unit"), t("admin.schedule.notice.hint")),
      measuredField(t("admin.schedule.ahead"), ahead, t("admin.days.unit"), t("admin.schedule.ahead.hint")),
      measuredField(t("admin.schedule.opens"), opens, t("admin.hours.unit"), t("admin.schedule.opens.hint")),
      labelledField(t("admin.schedule.last"), end, t("admin.schedule.last.hint")),
    ),
  );
  const typed = () => {
    const service_ids = offered.chosen();
    if (service_ids.length === 0) throw new WrongField(t("admin.schedule.error.services"));
    const last = until.value === "00:00" ? "24:00" : until.value;
    if (last <= from.value) throw new WrongField(t("admin.hours.error.order"));
    return {
      service_ids,
      weekday: Number(day.value),
      from: from.value,
      until: last,
      slot_minutes: Number(slot.value),
      capacity: Number(capacity.value),
      every_n_weeks: Number(weeks.value),
      buffer_minutes: Number(buffer.value),
      notice_minutes: Number(notice.value) * HOUR,
      days_ahead: Number(ahead.value),
      opens_before: Number(opens.value) * HOUR,
      point_id: point.value === "" ? null : Number(point.value),
      valid_until: end.value === "" ? null : end.value,
    };
  };
  const name = context.cells.get(`provider:${provider}`)?.name ?? "";
  await formDialog({
    title: before === null ? t("admin.schedule.add.title", { name }) : t("admin.schedule.change.title", { name }),
    lead: before === null ? t("admin.schedule.add.lead") : t("admin.schedule.change.lead"),
    wide: true,
    parts: [
      element("div", { className: "field-trio" }, labelledField(t("admin.schedule.day"), day), labelledField(t("admin.hours.from"), from), labelledField(t("admin.hours.until"), until)),
      offered.element,
      element(
        "div",
        { className: "field-pair" },
        measuredField(t("admin.schedule.slot"), slot, t("admin.minutes"), t("admin.schedule.slot.hint")),
        labelledField(before === null ? t("admin.schedule.first") : t("admin.schedule.from_date"), begin, before === null ? undefined : t("admin.schedule.from_date.hint")),
      ),
      more,
    ],
    yes: before === null ? t("admin.schedule.add") : t("admin.schedule.change"),
    apart: before === null || id === undefined ? undefined : { text: t("admin.schedule.end"), run: (dialog) => endDialog(context, id, before, () => dialog.close()) },
    submit: async () => {
      const values = typed();
      if (before === null) {
        await addSchedules(context, [{ provider_id: provider, ...values, valid_from: begin.value }], t("admin.schedule.added"));
        return true;
      }
      const change = {
        command: "change-schedule",
        body: { schedule_id: id, from_date: begin.value, ...removing(values) },
        said: t("admin.schedule.changed", { day: dayOf(begin.value) }),
        undo: (/** @type {any} */ answer) => undoOf(answer, before, begin.value),
      };
      return (await changeHours(context, change, provider)) !== null;
    },
  });
}

/**
 * Return fields of `change-schedule` in which an empty text or 0 removes the last day or the room: null would keep them.
 *
 * @param {Record<string, unknown>} values
 */
const removing = (values) => ({ ...values, valid_until: values.valid_until ?? "", point_id: values.point_id ?? 0 });

/**
 * Return the change that makes the later days as they were before.
 *
 * @param {{events: any[]}} answer
 * @param {Schedule} before
 * @param {string} from_date
 */
function undoOf(answer, before, from_date) {
  const { provider_id: _, valid_from: __, ...old } = likeSchedule(before, {});
  return { command: "change-schedule", body: { schedule_id: idIn(answer).id, ...removing(old), from_date } };
}

/**
 * Ask for the last day of a weekly time, and end it.
 *
 * @param {Context} context
 * @param {number} id
 * @param {Schedule} schedule
 * @param {() => void} then
 */
async function endDialog(context, id, schedule, then) {
  const now = today(context);
  const last = element("input", { type: "date", required: true, min: dateAfter(now, -1), value: dateAfter(now > schedule.valid_from ? now : schedule.valid_from, -1) });
  const ended = await formDialog({
    title: t("admin.schedule.end.title"),
    lead: t("admin.schedule.end.lead"),
    parts: [labelledField(t("admin.schedule.last"), last, t("admin.schedule.end.hint"))],
    yes: t("admin.schedule.end.yes"),
    submit: async () => {
      const begins = dateAfter(last.value, 1);
      const valid_from = begins > schedule.valid_from ? begins : schedule.valid_from;
      const undo = { command: "add-schedule", body: { site_id: context.site.id, ...likeSchedule(schedule, { valid_from }) } };
      const change = { command: "end-schedule", body: { schedule_id: id, last_date: last.value }, said: t("admin.schedule.ended", { day: dayOf(last.value) }), undo };
      return (await changeHours(context, change, schedule.provider)) !== null;
    },
  });
  if (ended) then();
}

/** Return the time that the clinician got last: the next one is probably like it. @param {Context} context @param {number} provider */
function latestOf(context, provider) {
  const all = /** @type {(Schedule & {id: number})[]} */ (allOf(context.cells, "schedule")).filter((each) => each.provider === provider);
  return all.sort((one, other) => other.id - one.id)[0] ?? null;
}

/** Return whether a rarely used field has a value. @param {Schedule} schedule */
const isUnusual = ({ point, capacity, buffer_minutes: buffer, every_n_weeks: weeks, notice_minutes: notice, days_ahead: ahead, opens_before: opens, valid_until: end }) =>
  point !== null || capacity > 1 || buffer > 0 || weeks > 1 || notice > 0 || ahead > 0 || opens > 0 || end !== null;
