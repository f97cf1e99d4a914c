import { showLive } from "../components/live-mark.js";
import { appointmentMarks, stageText, startTime } from "../desk/appointment-texts.js";
import { stageOf, stepsOf } from "../desk/appointments.js";
import { isUnreached, markWords, readMarks } from "../desk/entry-texts.js";
import { optionsOf } from "../desk/form-parts.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { dayOf, shortDayOf, timeAt } from "../shared/local-time.js";
import { columnsOf } from "./calendar.js";
import { heightOf, hoursOf, placed, topOf, turnsIn } from "./grid.js";

/**
 * @typedef {import("./state.js").CalendarState} CalendarState
 * @typedef {import("./calendar.js").Column} Column
 * @typedef {import("./grid.js").Axis} Axis
 * @typedef {import("./grid.js").Placed} Placed
 * @typedef {import("../desk/appointments.js").Appointment} Appointment
 */

const TICK_MS = 10_000;
const SECOND_MS = 1_000;

/** The columns that the page shows, by key: a drop reads its day and its provider there. @type {Map<string, {column: Column, axis: Axis}>} */
export const shownColumns = new Map();

/**
 * Paint the page whenever its state changes, and as time passes.
 *
 * @param {CalendarState} state
 */
export function startPainting(state) {
  let scrolled = "";
  const paint = () => {
    paintAll(state);
    readMarks(state.calendar.appointments, () => state.changed());
    const view = `${state.first} ${state.choice.days}`;
    if (state.ready && scrolled !== view) {
      scrolled = view;
      scrollToNow(state);
    }
  };
  state.addEventListener("change", paint);
  state.addEventListener("state", () => paintLive(state));
  paintLive(state);
  paint();
  setInterval(paint, TICK_MS);
  setInterval(() => showUndo(state), SECOND_MS);
}

/** @param {CalendarState} state */
function paintLive({ connection, orders, site }) {
  showLive(connection, { page: "calendar", mark: find(".live-mark"), notice: find(".notice"), zone: site.time_zone });
  const bar = find(".booking-bar");
  if (orders.doing) bar.setAttribute("aria-busy", "true");
  else bar.removeAttribute("aria-busy");
}

/** @param {CalendarState} state */
function paintAll(state) {
  const { calendar, choice, provider, first } = state;
  const grid = find("[data-grid]");
  const last = calendar.days.at(-1)?.date ?? first;
  setText(find("[data-dates]"), choice.days === 1 ? dayOf(first) : t("calendar.dates", { from: shortDayOf(first), until: shortDayOf(last) }));
  const date = /** @type {HTMLInputElement} */ (find("[data-date]"));
  if (document.activeElement !== date) date.value = state.date;
  for (const button of document.querySelectorAll("[data-days]")) {
    button.setAttribute("aria-pressed", String(Number(/** @type {HTMLElement} */ (button).dataset.days) === choice.days));
  }
  offerProviders(/** @type {HTMLSelectElement} */ (find("[data-provider]")), state);
  const { columns, axis } = columnsOf(calendar, { provider, dayName: shortDayOf });
  grid.setAttribute("aria-busy", String(!state.ready));
  find("[data-empty]").hidden = !state.ready || columns.length > 0;
  grid.hidden = columns.length === 0;
  grid.style.setProperty("--columns", String(columns.length));
  shownColumns.clear();
  for (const column of columns) shownColumns.set(column.key, { column, axis });
  showHours(columns[0], axis);
  updateList(find("[data-columns]"), columns, ({ key }) => key, makeColumn, (shown, column) => showColumn(shown, column, axis, state));
  updateTabStop(grid, state.selectedId);
  showBar(state);
}

/**
 * Offer the providers: of one day all of them together, too.
 *
 * @param {HTMLSelectElement} select
 * @param {CalendarState} state
 */
function offerProviders(select, { calendar, choice, provider }) {
  const wanted = [choice.days, ...calendar.providers.map(({ id, name }) => `${id} ${name}`)].join("\n");
  if (select.dataset.offered !== wanted) {
    select.dataset.offered = wanted;
    const all = element("option", { value: "" }, t("desk.day.everyone"));
    select.replaceChildren(...(choice.days === 1 ? [all] : []), ...optionsOf(calendar.providers));
  }
  const chosen = provider === null ? "" : String(provider);
  if (select.value !== chosen) select.value = chosen;
}

/**
 * Show the hours at the side. A day on which the clocks change in its open hours has hours of its own.
 *
 * @param {Column | undefined} column
 * @param {Axis} axis
 */
function showHours(column, axis) {
  const hours = column === undefined ? [] : hoursOf(column.day, axis);
  updateList(find("[data-hours]"), hours, ({ top }) => top, makeHour, (shown, { top, label }) => {
    shown.style.setProperty("--top", String(top));
    setText(shown, label);
  });
}

const makeHour = () => element("li", { className: "hour" });

/** @param {Column} column */
function makeColumn({ key, provider }) {
  const id = `column-${key.replace(" ", "-")}`;
  const sick = element("button", { type: "button", className: "button is-quiet column-menu", "data-move-day": String(provider) });
  const made = element(
    "section",
    { className: "column", "aria-labelledby": id },
    element(
      "header",
      { className: "column-head" },
      element("h2", { id, className: "column-title" }),
      element("p", { className: "column-count" }),
      sick,
    ),
    element(
      "div",
      { className: "column-body" },
      element("div", { className: "column-open", "aria-hidden": "true" }),
      element("ol", { className: "column-hours", "aria-hidden": "true" }),
      element("p", { className: "column-closed" }),
      element("div", { className: "column-bookings" }),
      element("div", { className: "column-now", "aria-hidden": "true", hidden: true }),
      element("div", { className: "column-ghost", "aria-hidden": "true", hidden: true }),
    ),
  );
  made.dataset.column = key;
  return made;
}

/**
 * @param {HTMLElement} shown
 * @param {Column} column
 * @param {Axis} axis
 * @param {CalendarState} state
 */
function showColumn(shown, { day, provider, title, appointments }, axis, state) {
  const now = state.connection.now();
  const { may, selectedId } = state;
  const visible = appointments.filter((each) => stageOf(each, now) !== "lapsed");
  const booked = visible.filter(({ state: each }) => each !== "held" && each !== "cancelled");
  const [head = shown, body = shown] = shown.children;
  setText(find("h2", head), title);
  setText(find(".column-count", head), booked.length === 0 ? "" : t("calendar.booked", { n: booked.length }));
  const sick = find("[data-move-day]", head);
  sick.hidden = !may("move-appointments") || provider === null || !visible.some((each) => each.state === "booked" && each.starts > now);
  setText(sick, t("calendar.move_day"));
  sick.setAttribute("aria-label", t("calendar.move_day.name", { name: state.calendar.providers.find(({ id }) => id === provider)?.name ?? "", day: dayOf(day.date) }));
  const open = (day.open_times ?? []).filter((each) => each.provider === provider);
  shown.classList.toggle("is-past", day.open_times === null);
  /** @type {HTMLElement} */ (body).style.setProperty("--length", String(heightOf(day, axis)));
  updateList(
    find(".column-open", body),
    open.map(({ begin, end }) => ({ from: topOf(day, axis, begin.at), length: (end.at - begin.at) / 60_000 })),
    ({ from, length }) => `${from} ${length}`,
    () => element("div", { className: "open-time" }),
    (each, { from, length }) => {
      each.style.setProperty("--top", String(from));
      each.style.setProperty("--minutes", String(length));
    },
  );
  updateList(find(".column-hours", body), hoursOf(day, axis), ({ top }) => top, makeHour, (each, { top, label }) => {
    each.style.setProperty("--top", String(top));
    setText(each, turnsIn(day, axis) ? label : "");
  });
  const closed = day.closed ? t("calendar.closed") : open.length === 0 && day.open_times !== null ? t("calendar.no_hours") : "";
  setText(find(".column-closed", body), visible.length === 0 ? closed || t("calendar.empty") : closed);
  find(".column-closed", body).classList.toggle("is-free", closed === "" && visible.length === 0);
  updateList(find(".column-bookings", body), placed(visible), ({ appointment }) => appointment.id, makeBooking, (each, item) => {
    showBooking(each, item, state, now);
    each.style.setProperty("--top", String(topOf(day, axis, item.appointment.starts)));
    each.setAttribute("aria-current", String(item.appointment.id === selectedId));
  });
  const line = find(".column-now", body);
  const at = topOf(day, axis, now);
  line.hidden = at < 0 || at > heightOf(day, axis) || now < day.begin.at || now >= day.end.at;
  line.style.setProperty("--top", String(at));
}

/** @param {Placed} item */
function makeBooking({ appointment }) {
  // The spaces separate the words for a screen reader. The last part is for it alone.
  const parts = ["booking-time", "booking-name", "booking-state", "booking-notes", "hidden"].flatMap((className) => [element("span", { className }), " "]);
  const made = element("div", { className: "booking", role: "button", tabIndex: -1 }, ...parts);
  made.dataset.appointment = String(appointment.id);
  return made;
}

/**
 * @param {HTMLElement} shown
 * @param {Placed} item
 * @param {CalendarState} state
 * @param {number} now
 */
function showBooking(shown, { appointment, lane, lanes }, { calendar, may }, now) {
  const stage = stageOf(appointment, now);
  const [time = shown, name = shown, mark = shown, notes = shown, end = shown] = shown.children;
  shown.dataset.stage = stage;
  shown.draggable = appointment.state === "booked" && may("reschedule");
  shown.classList.toggle("is-short", appointment.minutes < 25);
  for (const [property, value] of [["--minutes", appointment.minutes], ["--lane", lane], ["--lanes", lanes]]) {
    shown.style.setProperty(String(property), String(value));
  }
  const service = calendar.services.find(({ id }) => id === appointment.service)?.name ?? "";
  const who = stage === "held" ? t("appointment.being_booked") : (appointment.name ?? service);
  const usual = stage === "due" || stage === "booked";
  const words = usual ? "" : stage === "checked_in" && appointment.label !== null ? appointment.label : stageText(appointment, stage, now);
  const marks = appointmentMarks(appointment, calendar.site?.language).map(({ text }) => text);
  setText(time, startTime(appointment));
  setText(name, who);
  setText(mark, [words, isUnreached(appointment) ? markWords?.shortMark() : ""].filter(Boolean).join(" · "));
  setText(notes, [service, calendar.points.get(appointment.point ?? 0) ?? "", ...marks].filter(Boolean).join(" · "));
  shown.classList.toggle("is-marked", appointment.collides || appointment.overbooked !== null);
  shown.classList.toggle("is-unreached", isUnreached(appointment));
  const until = timeAt(appointment.ends, appointment.offset_minutes);
  setText(end, t("appointment.until", { time: until }));
}

/**
 * Let Tab reach one appointment: the chosen one, or else the first.
 *
 * @param {HTMLElement} grid
 * @param {number | null} chosen
 */
function updateTabStop(grid, chosen) {
  const all = /** @type {NodeListOf<HTMLElement>} */ (grid.querySelectorAll("[data-appointment]"));
  const wanted = [...all].find(({ dataset }) => Number(dataset.appointment) === chosen) ?? all[0];
  for (const each of all) {
    const tab = each === wanted ? 0 : -1;
    if (each.tabIndex !== tab) each.tabIndex = tab;
  }
}

/** Show the chosen appointment, and enable its actions. @param {CalendarState} state */
function showBar(state) {
  const { selected: appointment, calendar, connection } = state;
  const now = connection.now();
  const bar = find(".booking-bar");
  const stage = appointment === null ? "" : stageOf(appointment, now);
  bar.dataset.stage = stage;
  setText(find("[data-chosen-time]", bar), appointment === null ? "" : startTime(appointment));
  setText(find("[data-chosen-name]", bar), appointment === null ? t("calendar.nobody") : (appointment.name ?? t("appointment.nameless")));
  const facts =
    appointment === null || stage === ""
      ? []
      : [
          stage === "checked_in" && appointment.label !== null ? appointment.label : stageText(appointment, stage, now),
          calendar.providers.find(({ id }) => id === appointment.provider)?.name ?? "",
          calendar.services.find(({ id }) => id === appointment.service)?.name ?? "",
          t("appointment.until", { time: timeAt(appointment.ends, appointment.offset_minutes) }),
          ...appointmentMarks(appointment, calendar.site?.language, { detailed: true }).map(({ text }) => text),
        ];
  setText(find("[data-chosen-facts]", bar), facts.filter(Boolean).join(" · "));
  const possible = appointment === null ? [] : stepsOf(appointment, now);
  const focused = document.activeElement;
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (bar.querySelectorAll("[data-action]"))) {
    const action = button.dataset.action ?? "";
    button.disabled = action === "undo" ? state.undoStep() === null : !possible.includes(action);
    if (action === "clear-unreached") button.hidden = !state.may(action) || !isUnreached(appointment);
    button.classList.toggle("is-primary", action === "check-in" && !button.disabled && stage !== "booked");
  }
  showUndo(state);
  if (focused instanceof HTMLButtonElement && focused.disabled && bar.contains(focused)) {
    /** @type {HTMLElement | null} */ (find("[data-grid]").querySelector('[data-appointment][tabindex="0"]'))?.focus();
  }
}

/** @param {CalendarState} state */
function showUndo(state) {
  const undo = state.undoStep();
  const button = /** @type {HTMLButtonElement} */ (find('[data-action="undo"]'));
  button.disabled = undo === null;
  setText(find("[data-undo-seconds]"), undo === null ? "" : t("desk.seconds", { n: Math.max(0, Math.ceil((undo.until - state.connection.now()) / 1000)) }));
}

/** Bring the present time, or else the first hour, into view. @param {CalendarState} state */
function scrollToNow({ connection }) {
  const scroller = find("[data-grid]");
  const line = /** @type {HTMLElement | null} */ (scroller.querySelector(".column-now:not([hidden])"));
  scroller.scrollTop = line === null || connection.state === "refused" ? 0 : Math.max(0, line.offsetTop - scroller.clientHeight / 3);
}
