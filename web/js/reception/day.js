/** The day's appointments beside the queues: the list, and the actions for the chosen one. It loads when it is needed. */

import { appointmentMarks, stageText, startTime } from "../desk/appointment-texts.js";
import { appointmentsMatching, stageOf, stepsOf } from "../desk/appointments.js";
import { namesakeMarks, sharedNames } from "../desk/entry-texts.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { timeAt } from "../shared/local-time.js";
import { showMessage } from "./actions.js";
import { enableMore } from "./action-bar.js";
import { possibleActions } from "./desk.js";

/**
 * @typedef {import("./state.js").DeskState} DeskState
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("../desk/appointments.js").Appointment} Appointment
 * @typedef {import("../desk/appointments.js").Stage} Stage
 * @typedef {import("../desk/appointment-actions.js").AppointmentActions} AppointmentActions
 * @typedef {{press: (action: string) => boolean, actions: () => Promise<AppointmentActions>}} Day
 */

const TICK_MS = 10_000;
const ENDED = new Set(["fulfilled", "no_show"]);

/**
 * Show the day's appointments from now on.
 *
 * @param {DeskState} state
 * @param {(action: string) => void} press  presses a button of the page
 * @returns {Day}
 */
export function startDay(state, press) {
  const section = find("[data-day]");
  const parts = makeParts(section);
  const actions = actionsOf(state);
  /** Do something with the actions, once they are loaded. @param {(loaded: AppointmentActions) => void} act */
  const use = (act) => void actions().then(act, () => showMessage(t("error.unreachable"), "error"));
  const paint = () => paintDay(state, parts);
  let scrolled = false;

  state.addEventListener("change", () => {
    paint();
    if (!scrolled && state.desk.appointments.length > 0) scrolled = scrollToNow(parts.rows, state);
  });
  state.orders.addEventListener("change", () => state.orders.doing || state.changed()); // it may be one that can be undone
  parts.provider.addEventListener("change", paint);
  setInterval(paint, TICK_MS);
  chooseRows(parts.body, state);
  dragAppointments(parts.body, state, use);

  return {
    actions,
    press(action) {
      if (action === "book") {
        use((loaded) => loaded.book({ provider: Number(parts.provider.value) || null }));
        return true;
      }
      if (action === "appointments") {
        focusList(parts.body, state);
        return true;
      }
      const subject = action === "history" ? state.attended : state.booking;
      if (subject === null || !stepsOf(subject, state.connection.now()).includes(action)) return false;
      use((loaded) => loaded.press(action, subject, () => press(action)));
      return true;
    },
  };
}

/**
 * Return a function that loads the actions for appointments, once.
 *
 * @param {DeskState} state
 * @returns {() => Promise<AppointmentActions>}
 */
function actionsOf(state) {
  /** @type {Promise<AppointmentActions> | null} */
  let loading = null;
  return () => {
    loading ??= import("../desk/appointment-actions.js").then(
      ({ AppointmentActions }) =>
        new AppointmentActions({
          orders: state.orders,
          clinic: () => clinicOf(state),
          find: (id) => state.desk.appointments.find((each) => each.id === id) ?? null,
          show: showMessage,
        }),
    );
    loading.catch(() => (loading = null));
    return loading;
  };
}

/**
 * Return what the dialogs know of the site.
 *
 * @param {DeskState} state
 * @returns {import("../desk/time-choice.js").Clinic}
 */
function clinicOf({ site, desk, may }) {
  return {
    siteId: site.id,
    today: desk.site?.business_day ?? "",
    zone: site.time_zone,
    language: desk.site?.language ?? site.language,
    services: desk.services,
    providers: desk.providers,
    may,
  };
}

/** @param {HTMLElement} section */
function makeParts(section) {
  const rows = element("ol", { className: "day-rows", role: "listbox", "aria-labelledby": "day-title" });
  const endedRows = element("ol", { className: "day-rows", role: "listbox", "aria-labelledby": "day-title" });
  const summary = element("summary");
  const parts = {
    rows,
    endedRows,
    summary,
    ended: element("details", { className: "day-ended", hidden: true }, summary, endedRows),
    empty: element("p", { className: "day-empty", hidden: true }),
    body: find("[data-day-body]", section),
    counts: find("[data-day-counts]", section),
    provider: element("select", { className: "day-provider", hidden: true, "aria-label": t("appointment.provider") }),
  };
  find(".day-head", section).append(parts.provider);
  parts.body.replaceChildren(parts.empty, rows, parts.ended);
  return parts;
}

/**
 * @param {DeskState} state
 * @param {ReturnType<typeof makeParts>} parts
 */
function paintDay(state, parts) {
  const { desk, connection, searchText, appointmentId, booking } = state;
  const now = connection.now();
  const withProviders = desk.appointments.filter((each) => stageOf(each, now) !== "lapsed");
  offerProviders(parts.provider, desk, withProviders);
  const chosenProvider = Number(parts.provider.value) || null;
  const mine = withProviders.filter(({ provider }) => chosenProvider === null || provider === chosenProvider);
  const found = searchText === "" ? mine : appointmentsMatching(mine, searchText);
  const open = found.filter(({ state: each }) => !ENDED.has(each));
  const ended = found.filter(({ state: each }) => ENDED.has(each));
  const look = { now, chosen: appointmentId, desk, shared: sharedNames(withProviders), may: state.may };
  const update = (/** @type {HTMLElement} */ row, /** @type {Appointment} */ each) => showRow(row, each, look);
  updateList(parts.rows, open, ({ id }) => id, makeRow, update);
  updateList(parts.endedRows, ended, ({ id }) => id, makeRow, update);
  parts.rows.hidden = open.length === 0;
  parts.ended.hidden = ended.length === 0;
  setText(parts.summary, t("desk.day.ended", { n: ended.length }));
  parts.empty.hidden = open.length > 0;
  setText(parts.empty, t(searchText !== "" && mine.length > 0 ? "desk.search.none" : "desk.day.empty"));
  const toCome = mine.filter(({ state: each }) => each === "booked");
  const late = toCome.filter((each) => ["late", "too_late"].includes(stageOf(each, now)));
  setText(parts.counts, [t("desk.day.to_come", { n: toCome.length }), ...(late.length === 0 ? [] : [t("desk.day.late", { n: late.length })])].join(" · "));
  updateTabStop(parts.body, appointmentId);
  const bar = find(".action-bar");
  bar.classList.toggle("has-appointment", booking !== null);
  if (booking !== null) showBar(bar, booking, state, look);
}

/**
 * Offer the providers who have appointments today. With one alone there is nothing to choose.
 *
 * @param {HTMLSelectElement} select
 * @param {Desk} desk
 * @param {Appointment[]} appointments
 */
function offerProviders(select, desk, appointments) {
  const busy = new Set(appointments.map(({ provider }) => provider));
  const offered = desk.providers.filter(({ id }) => busy.has(id));
  const wanted = offered.map(({ id, name }) => `${id} ${name}`).join("\n");
  if (select.dataset.offered === wanted) return;
  const before = select.value;
  select.dataset.offered = wanted;
  select.replaceChildren(element("option", { value: "" }, t("desk.day.everyone")), ...offered.map(({ id, name }) => element("option", { value: String(id) }, name)));
  select.value = busy.has(Number(before)) ? before : "";
  select.hidden = offered.length < 2;
}

/** @param {Appointment} appointment */
function makeRow({ id }) {
  const row = element(
    "li",
    { className: "day-row", role: "option", tabIndex: -1 },
    element("span", { className: "day-time" }),
    element("span", { className: "day-name" }),
    element("span", { className: "day-state" }),
    element("span", { className: "day-notes notes" }),
  );
  row.dataset.appointment = String(id);
  return row;
}

/**
 * @param {HTMLElement} row
 * @param {Appointment} appointment
 * @param {{now: number, chosen: number | null, desk: Desk, shared: Set<string>, may: (action: string) => boolean}} look
 */
function showRow(row, appointment, { now, chosen, desk, shared, may }) {
  const stage = stageOf(appointment, now);
  const [time = row, name = row, state = row, notes = row] = row.children;
  row.dataset.stage = stage;
  row.draggable = appointment.state === "booked" && may("check-in");
  row.setAttribute("aria-selected", String(appointment.id === chosen));
  setText(time, startTime(appointment));
  setText(name, stage === "held" ? t("appointment.being_booked") : (appointment.name ?? t("appointment.nameless")));
  const usual = stage === "due" || stage === "booked"; // without words, so that the others stand out
  setText(state, usual ? "" : stage === "checked_in" && appointment.label !== null ? appointment.label : stageText(appointment, stage, now));
  const marks = [
    { kind: "service", text: [providerName(desk, appointment), serviceName(desk, appointment)].filter(Boolean).join(" · ") },
    ...namesakeMarks(appointment, shared),
    ...appointmentMarks(appointment, desk.site?.language),
  ];
  updateList(
    notes,
    marks,
    ({ kind, text }) => `${kind} ${text}`,
    ({ kind, text }) => element("span", { className: `note is-${kind}` }, text),
    () => {},
  );
}

/**
 * @param {Desk} desk
 * @param {Appointment} appointment
 */
const providerName = (desk, { provider }) => desk.providers.find(({ id }) => id === provider)?.name ?? "";

/**
 * @param {Desk} desk
 * @param {Appointment} appointment
 */
const serviceName = (desk, { service }) => desk.services.find(({ id }) => id === service)?.name ?? "";

/**
 * Show the chosen appointment in the action bar, and enable its actions.
 *
 * @param {HTMLElement} bar
 * @param {Appointment} appointment
 * @param {DeskState} state
 * @param {{now: number, desk: Desk}} look
 */
function showBar(bar, appointment, state, { now, desk }) {
  const stage = stageOf(appointment, now);
  bar.dataset.state = stage;
  bar.classList.add("is-chosen");
  setText(find(".guest-ticket", bar), startTime(appointment));
  setText(find(".guest-name", bar), appointment.name ?? t("appointment.nameless"));
  const until = timeAt(appointment.ends, appointment.offset_minutes);
  const facts = [stageText(appointment, stage, now), providerName(desk, appointment), serviceName(desk, appointment), t("appointment.until", { time: until })];
  setText(find(".guest-state", bar), facts.filter(Boolean).join(" · "));
  updateList(
    find(".guest-marks", bar),
    appointmentMarks(appointment, desk.site?.language, { detailed: true }),
    ({ kind, text }) => `${kind} ${text}`,
    ({ kind, text }) => element("span", { className: `note is-${kind}` }, text),
    () => {},
  );
  const possible = [...stepsOf(appointment, now), ...possibleActions(desk, state.point).filter((action) => action === "call-next")];
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (bar.querySelectorAll("[data-action]"))) {
    const action = button.dataset.action ?? "";
    if (action === "more") continue;
    button.disabled = action === "undo" ? state.undoStep() === null : !possible.includes(action);
    button.classList.toggle("is-primary", action === "check-in" && possible.includes("check-in"));
  }
  enableMore(bar);
}

/**
 * Let a click or the arrow keys choose a row. The row of a patient who has checked in leads to the ticket.
 *
 * @param {HTMLElement} body
 * @param {DeskState} state
 */
function chooseRows(body, state) {
  const rowAt = (/** @type {EventTarget | null} */ target) =>
    /** @type {HTMLElement | null} */ (target instanceof Element ? target.closest("[data-appointment]") : null);
  body.addEventListener("focusin", ({ target }) => {
    const row = rowAt(target);
    if (row !== null) state.selectAppointment(Number(row.dataset.appointment));
  });
  body.addEventListener("click", ({ target }) => {
    const row = rowAt(target);
    row?.focus();
    if (row !== null) goToEntry(state, Number(row.dataset.appointment));
  });
  body.addEventListener("keydown", (event) => {
    const row = rowAt(event.target);
    if (row === null || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Escape") {
      state.selectAppointment(null);
      row.blur();
      return;
    }
    if (event.key === "Enter") goToEntry(state, Number(row.dataset.appointment));
    const rows = visibleRows(body);
    const at = rows.indexOf(row);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    const next = to === undefined ? undefined : rows[to];
    if (next === undefined) return;
    event.preventDefault();
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  });
}

/** @param {HTMLElement} body @returns {HTMLElement[]} */
function visibleRows(body) {
  const rows = /** @type {NodeListOf<HTMLElement>} */ (body.querySelectorAll("[data-appointment]"));
  return [...rows].filter((row) => row.closest("details:not([open])") === null);
}

/**
 * Let Tab reach one row of the list: the chosen one, or else the first.
 *
 * @param {HTMLElement} body
 * @param {number | null} chosen
 */
function updateTabStop(body, chosen) {
  const rows = visibleRows(body);
  const wanted = rows.find(({ dataset }) => Number(dataset.appointment) === chosen) ?? rows[0];
  for (const row of rows) {
    const tab = row === wanted ? 0 : -1;
    if (row.tabIndex !== tab) row.tabIndex = tab;
  }
}

/**
 * Move the focus to the ticket of a patient who has checked in.
 *
 * @param {DeskState} state
 * @param {number} id  of the appointment
 */
function goToEntry({ desk }, id) {
  const { entry } = desk.appointments.find((each) => each.id === id) ?? {};
  if (entry == null) return;
  const row = /** @type {HTMLElement | null} */ (find("[data-columns]").querySelector(`[data-entry="${entry}"]`));
  row?.focus();
  row?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/**
 * Move the focus to the chosen row, or else to the first patient who may check in now.
 *
 * @param {HTMLElement} body
 * @param {DeskState} state
 */
function focusList(body, state) {
  const rows = visibleRows(body);
  const row =
    rows.find(({ dataset }) => Number(dataset.appointment) === state.appointmentId) ??
    rows.find(({ dataset }) => ["due", "late", "too_late"].includes(dataset.stage ?? "")) ??
    rows.find(({ dataset }) => dataset.stage === "booked") ??
    rows[0];
  if (row === undefined) showMessage(t("desk.day.empty"), "done");
  else {
    row.focus();
    row.scrollIntoView({ block: "center" });
  }
}

/**
 * Bring the present time into view, once. Returns whether there is a row for it.
 *
 * @param {HTMLElement} rows
 * @param {DeskState} state
 */
function scrollToNow(rows, state) {
  const now = state.connection.now();
  const next = state.desk.appointments.find(({ state: each, starts }) => each === "booked" && starts > now);
  const row = next === undefined ? null : /** @type {HTMLElement | null} */ (rows.querySelector(`[data-appointment="${next.id}"]`));
  const body = rows.parentElement;
  if (row !== null && body !== null) body.scrollTop = row.offsetTop - body.offsetTop - body.clientHeight / 2;
  return true;
}

/**
 * Let an appointment be dragged: onto a queue to check the patient in there, onto another time of the list to move it.
 *
 * @param {HTMLElement} body
 * @param {DeskState} state
 * @param {(act: (actions: AppointmentActions) => void) => void} use
 */
function dragAppointments(body, state, use) {
  const columns = find("[data-columns]");
  /** @type {Appointment | null} */
  let dragged = null;
  /** @type {Element | null} */
  let marked = null;
  const mark = (/** @type {Element | null} */ target) => {
    if (marked === target) return;
    marked?.classList.remove("is-target");
    marked = target;
    marked?.classList.add("is-target");
  };
  const placeAt = (/** @type {EventTarget | null} */ target) =>
    /** @type {HTMLElement | null} */ (target instanceof Element ? target.closest("[data-queue], [data-appointment]") : null);

  body.addEventListener("dragstart", (event) => {
    const row = placeAt(event.target);
    dragged = state.desk.appointments.find(({ id }) => id === Number(row?.dataset.appointment)) ?? null;
    if (dragged === null || event.dataTransfer === null) return;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", startTime(dragged));
    row?.classList.add("is-dragged");
  });
  for (const parent of [columns, body]) {
    parent.addEventListener("dragover", (event) => {
      const place = dragged === null ? null : placeAt(event.target);
      if (place === null || Number(place.dataset.appointment) === dragged?.id) return;
      event.preventDefault();
      mark(place);
    });
    parent.addEventListener("drop", (event) => {
      const place = placeAt(event.target);
      if (dragged === null || place === null) return;
      event.preventDefault();
      const queue = Number(place.dataset.queue);
      const appointment = dragged;
      if (queue) use((actions) => void actions.checkIn(appointment, { queue_id: queue }));
      else use((actions) => moveBeside(appointment, Number(place.dataset.appointment), state, actions));
    });
  }
  body.addEventListener("dragend", () => {
    for (const row of body.querySelectorAll(".is-dragged")) row.classList.remove("is-dragged");
    mark(null);
    dragged = null;
  });
}

/**
 * Open the dialog that moves an appointment, with the time of another one as the wish.
 *
 * @param {Appointment} appointment
 * @param {number} otherId
 * @param {DeskState} state
 * @param {AppointmentActions} actions
 */
function moveBeside(appointment, otherId, state, actions) {
  const other = state.desk.appointments.find(({ id }) => id === otherId);
  if (other === undefined || other.id === appointment.id) return;
  void actions.dialogs.reschedule.open(clinicOf(state), appointment, { local: other.local_start, provider: other.provider });
}
