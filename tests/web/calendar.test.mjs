import assert from "node:assert/strict";
import { test } from "node:test";

import { axisOf, firstDate, heightOf, hoursOf, instantAt, placed, snapped, topOf, turnsIn } from "../../web/js/calendar/grid.js";
import { appointmentsMatching, stageOf, stepsOf } from "../../web/js/desk/appointments.js";

const at = (text) => Date.parse(text);
const edge = (utc, local, offset_minutes) => ({ at: at(utc), local, offset_minutes });
const USUAL = {
  date: "2026-03-07",
  begin: edge("2026-03-07T05:00Z", "2026-03-07T00:00", -300),
  end: edge("2026-03-08T05:00Z", "2026-03-08T00:00", -300),
  turn: null,
  closed: false,
  open_times: [],
};
/** New York: the clocks go forward at 02:00, and back at 02:00. */
const FORWARD = { ...USUAL, date: "2026-03-08", begin: edge("2026-03-08T05:00Z", "2026-03-08T00:00", -300), end: edge("2026-03-09T04:00Z", "2026-03-09T00:00", -240), turn: edge("2026-03-08T07:00Z", "2026-03-08T03:00", -240) };
const BACK = { ...USUAL, date: "2026-11-01", begin: edge("2026-11-01T04:00Z", "2026-11-01T00:00", -240), end: edge("2026-11-02T05:00Z", "2026-11-02T00:00", -300), turn: edge("2026-11-01T06:00Z", "2026-11-01T01:00", -300) };
const MORNING = { from: 0, until: 360 };
const OFFICE = { from: 480, until: 1080 };

test("the hours of a usual day are an hour apart", () => {
  assert.equal(heightOf(USUAL, OFFICE), 600);
  assert.deepEqual(hoursOf(USUAL, OFFICE)[0], { top: 0, label: "08:00" });
  assert.equal(topOf(USUAL, OFFICE, at("2026-03-07T14:30Z")), 90);
  assert.equal(turnsIn(FORWARD, OFFICE), false, "the office opens after the change");
  assert.equal(topOf(FORWARD, OFFICE, at("2026-03-08T13:30Z")), 90);
});

test("an hour is missing when the clocks go forward", () => {
  assert.equal(heightOf(FORWARD, MORNING), 300);
  assert.deepEqual(hoursOf(FORWARD, MORNING).map(({ label }) => label), ["00:00", "01:00", "03:00", "04:00", "05:00"]);
  assert.equal(instantAt(FORWARD, 150), at("2026-03-08T07:00Z"), "02:30 does not exist: the first instant after it");
});

test("an hour comes twice when the clocks go back, with its offsets", () => {
  assert.equal(heightOf(BACK, MORNING), 420);
  const labels = hoursOf(BACK, MORNING).map(({ label }) => label);
  assert.deepEqual(labels.slice(0, 4), ["00:00", "01:00 UTC\u22124", "01:00 UTC\u22125", "02:00"]);
  assert.deepEqual(snapped(BACK, 1, at("2026-11-01T05:31Z")), { local_start: "2026-11-01T01:30", fold: 0, instant: at("2026-11-01T05:30Z") });
  assert.deepEqual(snapped(BACK, 1, at("2026-11-01T06:31Z")), { local_start: "2026-11-01T01:30", fold: 1, instant: at("2026-11-01T06:30Z") });
});

test("a drop snaps to the grid of the open time", () => {
  const day = { ...USUAL, open_times: [{ provider: 7, slot_minutes: 20, begin: edge("2026-03-07T14:10Z", "2026-03-07T09:10", -300), end: edge("2026-03-07T16:10Z", "2026-03-07T11:10", -300) }] };
  assert.equal(snapped(day, 7, at("2026-03-07T14:55Z")).local_start, "2026-03-07T09:50");
  assert.equal(snapped(day, 8, at("2026-03-07T14:55Z")).local_start, "2026-03-07T09:45", "another provider has no grid there");
});

const appointment = (id, from, minutes, more = {}) => ({ id, starts: at(from), ends: at(from) + minutes * 60_000, minutes, local_start: from.slice(0, 16), ...more });

test("the axis goes from the first to the last full hour that is needed", () => {
  assert.deepEqual(axisOf([USUAL], []), { from: 480, until: 1080 });
  assert.deepEqual(axisOf([USUAL], [appointment(1, "2026-03-07T09:40Z", 30), appointment(2, "2026-03-07T16:50Z", 30)]), { from: 540, until: 1080 });
});

test("appointments of one time stand side by side", () => {
  const all = [appointment(1, "2026-03-07T09:00Z", 60), appointment(2, "2026-03-07T09:15Z", 15), appointment(3, "2026-03-07T09:30Z", 15), appointment(4, "2026-03-07T10:00Z", 15)];
  assert.deepEqual(placed(all).map(({ lane, lanes }) => [lane, lanes]), [[0, 2], [1, 2], [1, 2], [0, 1]]);
});

test("a week begins on Monday", () => {
  assert.equal(firstDate("2026-11-29", 7), "2026-11-23");
  assert.equal(firstDate("2026-11-30", 7), "2026-11-30");
  assert.equal(firstDate("2026-11-29", 1), "2026-11-29");
});

test("the stage of an appointment follows the server's times", () => {
  const booked = { state: "booked", held_until: null, check_in_from: 100, late_from: 200, too_late_from: 300, starts: 200, entry: null };
  assert.deepEqual([50, 100, 200, 300, 301].map((now) => stageOf(booked, now)), ["booked", "due", "late", "late", "too_late"]);
  const held = { ...booked, state: "held", held_until: 150 };
  assert.deepEqual([149, 150].map((now) => stageOf(held, now)), ["held", "lapsed"]);
  assert.deepEqual(stepsOf(booked, 150), ["check-in", "move", "amend-visit", "history", "cancel"]);
  assert.deepEqual(stepsOf(booked, 200), ["check-in", "no-show", "move", "amend-visit", "history", "cancel"]);
  assert.deepEqual(stepsOf(held, 100), ["history"]);
  assert.deepEqual(stepsOf({ ...booked, state: "no_show" }, 400), ["check-in", "history"], "a patient who comes after all");
});

test("the search finds an appointment by parts of the name", () => {
  const all = [{ id: 1, name: "Inés Castro", label: null }, { id: 2, name: null, label: null }, { id: 3, name: "Bo", label: "A012" }];
  const found = (text) => appointmentsMatching(all, text).map(({ id }) => id);
  assert.deepEqual([found("castro in"), found("a012"), found("x")], [[1], [3], []]);
});
