/** The appointments of the clinician at the point, today. It loads with the first appointment. */

import { stageText, startTime, appointmentMarks } from "../desk/appointment-texts.js";
import { appointmentsOf, stageOf } from "../desk/appointments.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { t } from "../shared/i18n.js";

/** @typedef {import("../desk/appointments.js").Appointment} Appointment */

const OVER = new Set(["fulfilled", "no_show"]);

/**
 * Show the appointments, those to come before those that are over.
 *
 * @param {HTMLElement} section
 * @param {import("../live/cells.js").Cells} cells
 * @param {{now: number, language: string | undefined}} look
 */
export function showToday(section, cells, { now, language }) {
  const shown = appointmentsOf(cells).filter((each) => stageOf(each, now) !== "lapsed");
  const over = shown.filter(({ state }) => OVER.has(state));
  const open = shown.filter(({ state }) => !OVER.has(state));
  section.hidden = shown.length === 0;
  setText(find(".room-today-counts", section), t("desk.day.to_come", { n: open.filter(({ state }) => state === "booked").length }));
  updateList(find("ol", section), [...open, ...over], ({ id }) => id, makeRow, (row, appointment) => showRow(row, appointment, now, language));
}

const makeRow = () =>
  element(
    "li",
    { className: "room-today-row" },
    element("span", { className: "room-today-time" }),
    element("span", { className: "room-today-name" }),
    element("span", { className: "room-today-state" }),
    element("span", { className: "notes" }),
  );

/**
 * @param {HTMLElement} row
 * @param {Appointment} appointment
 * @param {number} now
 * @param {string | undefined} language
 */
function showRow(row, appointment, now, language) {
  const stage = stageOf(appointment, now);
  const [time = row, name = row, state = row, notes = row] = row.children;
  row.dataset.stage = stage;
  row.dataset.appointment = String(appointment.id);
  setText(time, startTime(appointment));
  setText(name, stage === "held" ? t("appointment.being_booked") : (appointment.name ?? t("appointment.nameless")));
  const usual = stage === "due" || stage === "booked";
  setText(state, usual ? "" : stage === "checked_in" ? t("room.here", { label: appointment.label ?? "" }) : stageText(appointment, stage, now));
  updateList(
    notes,
    appointmentMarks(appointment, language),
    ({ kind, text }) => `${kind} ${text}`,
    ({ kind, text }) => element("span", { className: `note is-${kind}` }, text),
    () => {},
  );
}
