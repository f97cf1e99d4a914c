import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { whatHappened, whoDidIt, whyIt } from "../../web/js/desk/history-texts.js";

const ENGLISH = JSON.parse(readFileSync(new URL("../../web/locales/history/en.json", import.meta.url), "utf8"));
const WORDS = { appointment: 9, moment: (local) => local.slice(5), time: (local) => local.slice(11), provider: (id) => `Dr ${id}` };
const step = (type, more = {}) => ({
  seq: 1, at: 0, type, actor: "staff:3", username: null, local_start: "2026-03-02T11:00", provider_id: 2, was_local_start: null,
  was_provider_id: null, reason: null, overbooked: null, late: false, offered_to: null, label: null, ...more,
});
const keyOf = (...args) => whatHappened(step(...args), WORDS).key;

test("every event of an appointment has a text of its own", () => {
  // The classes of `APPOINTMENT_EVENTS`, and the check-in with its undo.
  const events = readFileSync(new URL("../../server/domain/events/appointments.py", import.meta.url), "utf8");
  const names = [...events.matchAll(/^class (\w+)\(OfAppointment\)/gm)].map(([, name]) => name.replace(/(?!^)[A-Z]/g, "-$&").toLowerCase());
  assert.ok(names.length >= 9);
  for (const name of [...names, "ticket-issued", "step-undone"]) {
    assert.ok(keyOf(name) in ENGLISH, name);
    assert.notEqual(keyOf(name), "history.other", name);
  }
  assert.equal(keyOf("of-a-later-version"), "history.other");
});

test("a move names what has changed: the time, the provider, or both", () => {
  const from = { was_local_start: "2026-03-02T10:00" };
  const moved = whatHappened(step("appointment-moved", { ...from, was_provider_id: 2 }), WORDS);
  assert.deepEqual(moved, { key: "history.appointment-moved", values: { from: "10:00", time: "03-02T11:00", was: "Dr 2", provider: "Dr 2", label: "" } });
  assert.equal(whatHappened(step("appointment-moved", { was_local_start: "2026-02-27T10:00", was_provider_id: 2 }), WORDS).values.from, "02-27T10:00", "another day is named");
  assert.equal(keyOf("appointment-moved", { was_local_start: "2026-03-02T11:00", was_provider_id: 1 }), "history.moved_provider");
  assert.equal(keyOf("appointment-moved", { ...from, was_provider_id: 1 }), "history.moved_both");
});

test("an offer and a late cancellation have their own texts", () => {
  assert.equal(keyOf("appointment-held", { offered_to: 7 }), "history.offered");
  assert.equal(keyOf("appointment-held", { offered_to: 9 }), "history.offered_here");
  assert.equal(keyOf("hold-released", { offered_to: 9 }), "history.offer_over");
  assert.equal(keyOf("appointment-cancelled", { late: true }), "history.cancelled_late");
});

test("a reason is shown once, with the step that gave it", () => {
  const booked = step("appointment-booked", { overbooked: "in pain" });
  assert.deepEqual(whyIt(booked, undefined), { key: "appointment.overbooked", values: { reason: "in pain" } });
  assert.equal(whyIt(step("appointment-amended", { overbooked: "in pain" }), booked), null);
  assert.deepEqual(whyIt(step("appointment-cancelled", { reason: "asked by phone" }), booked), { key: "history.reason", values: { reason: "asked by phone" } });
});

test("a step was done by a colleague, the patient, a kiosk, another system, or the system", () => {
  const by = (actor, username = null) => whoDidIt(step("appointment-booked", { actor, username }));
  assert.deepEqual(by("staff:3", "ada"), { username: "ada" });
  const expected = { "staff:3": "staff", "appointment:7": "patient", "ticket:7": "patient", "phone:ab12": "patient", "kiosk:7": "kiosk", "key:3": "key", clock: "system", setup: "system" };
  for (const [actor, who] of Object.entries(expected)) {
    assert.deepEqual(by(actor), { key: `history.by.${who}` }, actor);
    assert.ok(`history.by.${who}` in ENGLISH);
  }
});
