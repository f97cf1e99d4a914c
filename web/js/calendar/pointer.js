/** Choosing, moving and booking in the grid: by arrow keys, by clicks, and by dragging. */

import { neighbour } from "../desk/neighbour.js";
import { find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { timeOf } from "../shared/local-time.js";
import { heightOf, instantAt, snapped, topOf } from "./grid.js";
import { shownColumns } from "./painting.js";

/**
 * @typedef {import("./state.js").CalendarState} CalendarState
 * @typedef {import("../desk/appointment-actions.js").AppointmentActions} AppointmentActions
 * @typedef {import("../desk/appointments.js").Appointment} Appointment
 * @typedef {{local_start: string, fold: number, instant: number, provider: number, key: string}} Target
 */

const MINUTE_MS = 60_000;

/**
 * @param {CalendarState} state
 * @param {AppointmentActions} actions
 */
export function connectGrid(state, actions) {
  const grid = find("[data-grid]");
  chooseBookings(grid, state, actions);
  dragBookings(grid, state, actions);
  grid.addEventListener("click", (event) => {
    if (bookingAt(event.target) !== null || !state.may("book")) return;
    const target = targetAt(event, 0);
    if (target !== null) actions.book({ provider: target.provider, date: target.local_start.slice(0, 10), local: target.local_start });
  });
}

/**
 * @param {EventTarget | null} target
 * @returns {HTMLElement | null}
 */
const bookingAt = (target) => (target instanceof Element ? target.closest("[data-appointment]") : null);

/**
 * @param {HTMLElement} grid
 * @param {CalendarState} state
 * @param {AppointmentActions} actions
 */
function chooseBookings(grid, state, actions) {
  grid.addEventListener("focusin", ({ target }) => {
    const booking = bookingAt(target);
    if (booking !== null) state.select(Number(booking.dataset.appointment));
  });
  grid.addEventListener("click", ({ target }) => bookingAt(target)?.focus());
  grid.addEventListener("dblclick", ({ target }) => bookingAt(target) !== null && open());
  grid.addEventListener("keydown", (event) => {
    const booking = bookingAt(event.target);
    if (event.ctrlKey || event.altKey || event.metaKey || booking === null) return;
    if (event.key === "Escape") {
      state.select(null);
      booking.blur();
      return;
    }
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      open();
      return;
    }
    const columns = [...grid.querySelectorAll("[data-column]")].map(bookingsOf).filter((bookings) => bookings.length > 0);
    const to = neighbour(columns, booking, event.key, (beside) => nearest(beside, Number(booking.style.getPropertyValue("--top"))));
    if (to === null) return;
    event.preventDefault();
    to.focus();
    to.scrollIntoView({ block: "nearest", inline: "nearest" });
  });

  function open() {
    const { selected, may } = state;
    if (selected !== null && may("amend-appointment") && selected.state === "booked") actions.press("amend-visit", selected);
  }
}

/** @param {Element} column */
const bookingsOf = (column) => /** @type {HTMLElement[]} */ ([...column.querySelectorAll("[data-appointment]")]);

/**
 * Return the appointment whose time is nearest.
 *
 * @param {HTMLElement[]} bookings
 * @param {number} top
 */
function nearest(bookings, top) {
  const apart = (/** @type {HTMLElement} */ each) => Math.abs(Number(each.style.getPropertyValue("--top")) - top);
  return bookings.reduce((/** @type {HTMLElement | null} */ best, each) => (best === null || apart(each) < apart(best) ? each : best), null);
}

/**
 * Return the start under the pointer, or null outside of the columns.
 *
 * @param {MouseEvent} event
 * @param {number} grabbedMinutes  how far below its start the dragged appointment was taken
 * @returns {Target | null}
 */
function targetAt(event, grabbedMinutes) {
  const element = event.target instanceof Element ? event.target : null;
  const shown = /** @type {HTMLElement | null} */ (element?.closest("[data-column]") ?? null);
  const body = element?.closest(".column-body") ?? null;
  const key = shown?.dataset.column ?? "";
  const found = shownColumns.get(key);
  if (body === null || found === undefined || found.column.provider === null || getComputedStyle(body).position === "static") return null;
  const { column, axis } = found;
  const { top, height } = body.getBoundingClientRect();
  const length = heightOf(column.day, axis);
  const minutes = ((event.clientY - top) / height) * length - grabbedMinutes;
  const instant = instantAt(column.day, axis.from) + Math.min(Math.max(minutes, 0), length - 1) * MINUTE_MS;
  return { ...snapped(column.day, column.provider, instant), provider: column.provider ?? 0, key };
}

/**
 * Let an appointment be dragged to another time or column. The target is shown and read out. A refused drop leaves the
 * appointment where it was, with the reason in the page's message.
 *
 * @param {HTMLElement} grid
 * @param {CalendarState} state
 * @param {AppointmentActions} actions
 */
function dragBookings(grid, state, actions) {
  /** @type {{appointment: Appointment, grabbed: number, element: HTMLElement} | null} */
  let dragged = null;
  /** @type {HTMLElement | null} */
  let ghost = null;
  const announce = find("[data-announce]");

  /** @param {Target | null} target */
  function show(target) {
    const found = target === null ? undefined : shownColumns.get(target.key);
    const column = target === null ? null : grid.querySelector(`[data-column="${CSS.escape(target.key)}"] .column-ghost`);
    if (ghost !== column && ghost !== null) ghost.hidden = true;
    ghost = /** @type {HTMLElement | null} */ (column);
    if (ghost === null || target === null || found === undefined || dragged === null) return;
    ghost.hidden = false;
    ghost.style.setProperty("--top", String(topOf(found.column.day, found.axis, target.instant)));
    ghost.style.setProperty("--minutes", String(dragged.appointment.minutes));
    const provider = state.calendar.providers.find(({ id }) => id === target.provider)?.name ?? "";
    setText(ghost, timeOf(target.local_start));
    setText(announce, t("calendar.target", { time: timeOf(target.local_start), provider }));
  }

  grid.addEventListener("dragstart", (event) => {
    const element = bookingAt(event.target);
    const appointment = state.find(Number(element?.dataset.appointment));
    if (element === null || appointment === null || event.dataTransfer === null) return;
    const { top, height } = element.getBoundingClientRect();
    dragged = { appointment, element, grabbed: ((event.clientY - top) / height) * appointment.minutes };
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", appointment.local_start);
    element.classList.add("is-dragged");
    grid.classList.add("is-dragging");
  });
  grid.addEventListener("dragover", (event) => {
    const target = dragged === null ? null : targetAt(event, dragged.grabbed);
    if (target !== null) event.preventDefault();
    show(target);
  });
  grid.addEventListener("drop", (event) => {
    const target = dragged === null ? null : targetAt(event, dragged.grabbed);
    if (target === null || dragged === null) return;
    event.preventDefault();
    const { appointment } = dragged;
    if (target.local_start !== appointment.local_start || target.provider !== appointment.provider) void actions.moveTo(appointment, target);
  });
  grid.addEventListener("dragend", () => {
    dragged?.element.classList.remove("is-dragged");
    grid.classList.remove("is-dragging");
    dragged = null;
    show(null);
    setText(announce, "");
  });
}
