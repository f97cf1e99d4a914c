import assert from "node:assert/strict";
import { test } from "node:test";
import {
  allowedSteps, deskOf, entriesMatching, entryAboveDrop, guestOf, neighboursOf, possibleActions, waitLevel, waitedMinutes,
} from "../../web/js/reception/desk.js";
import { namesakeMarks, sharedNames } from "../../web/js/desk/entry-texts.js";
import { byRank, displayTrouble } from "../../web/js/live/cells.js";

const entry = (label, state, rank, more = {}) => ({
  label, state, rank, queue: 1, point: null, priority: "standard", joined: 0, since: 0, calls: 0, name: null, party: 1,
  language: "en", absent_until: null, wait_target: null, ...more,
});
const desk = (...entries) =>
  deskOf(
    new Map([
      ["queue:2", { name: "Blood tests", prefix: "B", position: 1 }],
      ["queue:1", { name: "Registration", prefix: "A", position: 0 }],
      ["point:7", {
        name: "Room 7", queues: [1], position: 0, state: "open", entry: entries.find((each) => each.point === 7)?.id ?? null,
        next: entries.some(({ state, queue }) => state === "waiting" && queue === 1) ? { entry: 100, why: "only" } : null,
      }],
      ...entries.map((each, index) => [`entry:${each.id ?? index + 100}`, each]),
    ]),
  );
const point = (from) => from.points[0];
const TELLING = ["amend-visit", "print"];
const WAITS = [...TELLING, "reprioritise", "running-late", "leave", "cancel"];

test("ranks compare element by element, as numbers", () => {
  const ranks = [[1, 9, 3], [1, 10, 2], [0, 99, 5], [1, 9, 20]].map((rank) => ({ rank }));
  assert.deepEqual(ranks.sort(byRank).map(({ rank }) => rank), [[0, 99, 5], [1, 9, 3], [1, 9, 20], [1, 10, 2]]);
});

test("queues are in the site's order, their entries by rank, and no-shows are apart", () => {
  const shown = desk(
    entry("A002", "waiting", [1, 20, 2]),
    entry("A001", "no_show", [1, 10, 1]),
    entry("A003", "waiting", [0, 30, 3]),
    entry("B001", "waiting", [1, 5, 4], { queue: 2 }),
  );
  assert.deepEqual(shown.queues.map(({ prefix }) => prefix), ["A", "B"]);
  assert.deepEqual(shown.open.get(1).map(({ label }) => label), ["A003", "A002"]);
  assert.deepEqual(shown.noShows.get(1).map(({ label }) => label), ["A001"]);
  assert.deepEqual(shown.open.get(2).map(({ label }) => label), ["B001"]);
});

test("only the actions that the state allows are possible, the usual one first", () => {
  const here = { point: 7, id: 100 };
  assert.deepEqual(possibleActions(desk(), null), []);
  assert.deepEqual(possibleActions(desk(), point(desk())), [], "nobody is waiting");
  const waiting = desk(entry("A001", "waiting", [1, 1, 1]));
  assert.deepEqual(possibleActions(waiting, point(waiting)), ["call-next"]);
  assert.deepEqual(possibleActions(waiting, { ...point(waiting), state: "on_break" }), [], "a point on a break calls nobody");
  const elsewhere = desk(entry("B001", "waiting", [1, 1, 1], { queue: 2 }));
  assert.deepEqual(possibleActions(elsewhere, point(elsewhere)), [], "not a queue of this point");
  const called = desk(entry("A001", "called", [1, 1, 1], here));
  assert.deepEqual(possibleActions(called, point(called)), ["start", "recall", "no-show", "return", "hold", "transfer", "running-late", "leave", ...TELLING]);
  assert.equal(guestOf(called, point(called)).label, "A001");
  const serving = desk(entry("A001", "serving", [1, 1, 1], here));
  assert.deepEqual(possibleActions(serving, point(serving)), ["complete", "transfer", ...TELLING]);
});

test("the actions are for the selected entry", () => {
  const shown = desk(entry("A001", "waiting", [1, 1, 1]), entry("A002", "held", [1, 2, 2]), entry("B001", "waiting", [1, 3, 3], { queue: 2 }));
  const at = point(shown);
  const chosen = (label) => [...shown.entries.values()].find((each) => each.label === label);
  assert.deepEqual(possibleActions(shown, at, chosen("A001")), ["call", "hold", "transfer", "move", ...WAITS, "call-next"]);
  assert.deepEqual(possibleActions(shown, null, chosen("A001")), ["hold", "transfer", "move", ...WAITS], "there is no point to call to");
  assert.deepEqual(possibleActions(shown, at, chosen("A002")), ["return", ...TELLING, "leave", "cancel", "call-next"]);
  assert.deepEqual(possibleActions(shown, at, chosen("B001")), ["hold", "transfer", "move", ...WAITS, "call-next"], "not a queue of this point");
  assert.deepEqual(allowedSteps(entry("A001", "no_show", []), true), ["return", "print"]);
  const late = allowedSteps(entry("A001", "waiting", [], { absent_until: 9 }), true);
  assert.deepEqual(late.slice(0, 3), ["call", "return", "hold"], "a late patient can be marked as here");
  assert.deepEqual(allowedSteps(entry("A001", "completed", []), true), []);
});

test("the history is possible for an entry whose patient came for an appointment", () => {
  const shown = desk(entry("A001", "held", [1, 1, 1], { id: 5 }), entry("A002", "held", [1, 2, 2], { id: 6 }));
  shown.appointments = [{ id: 9, entry: 5 }];
  assert.deepEqual(possibleActions(shown, null, shown.entries.get(5)).at(-1), "history");
  assert.ok(!possibleActions(shown, null, shown.entries.get(6)).includes("history"));
});

test("an unchanged cell is the same entry object", () => {
  const cell = entry("A001", "waiting", [1, 1, 1]);
  const cells = (one, other) => new Map([["queue:1", { position: 0 }], ["entry:5", one], ["entry:6", other]]);
  const before = deskOf(cells(cell, entry("A002", "waiting", [1, 2, 2])));
  const after = deskOf(cells(cell, entry("A002", "called", [1, 2, 2])));
  assert.equal(after.entries.get(5), before.entries.get(5));
  assert.notEqual(after.entries.get(6), before.entries.get(6));
});

test("a wait is near its target from 75 %, and late from 100 %", () => {
  const waits = (now, more = {}) => waitLevel(entry("A001", "waiting", [], { joined: 0, wait_target: 1000, ...more }), now);
  assert.deepEqual([0, 749, 750, 999, 1000].map((now) => waits(now)), ["fine", "fine", "near", "near", "late"]);
  assert.equal(waits(5000, { wait_target: null }), "fine");
  assert.equal(waits(5000, { state: "serving" }), "fine", "an entry that is served is never late");
});

test("dark counts before behind, and behind before muted", () => {
  const display = { paired: true, connected: true, lag: 0, muted: false };
  assert.equal(displayTrouble(display), null);
  assert.equal(displayTrouble({ ...display, muted: true }), "muted");
  assert.equal(displayTrouble({ ...display, muted: true, lag: 10 }), "behind");
  assert.equal(displayTrouble({ ...display, connected: false, lag: 60 }), "dark");
  assert.equal(displayTrouble({ ...display, connected: false, paired: false }), null, "a display that is not paired has no trouble");
  assert.equal(displayTrouble({ ...display, lag: null }), null);
});

test("the search finds words of the name in any order without accents, and the ticket", () => {
  const all = [{ id: 1, label: "A001", name: "Ádá Löwe" }, { id: 2, label: "A002", name: null }, { id: 3, label: "B001", name: "Bo Lind" }];
  const ids = (wanted) => [...entriesMatching(all, wanted)];
  assert.deepEqual(ids("lowe ada"), [1]);
  assert.deepEqual(ids("a00"), [1, 2]);
  assert.deepEqual(ids("b001"), [3]);
  assert.deepEqual(ids("  "), [1, 2, 3]);
  assert.deepEqual(ids("lowe bo"), []);
});

test("a dropped row comes behind the last entry above that waits with the same urgency", () => {
  const shown = desk(
    entry("A000", "waiting", [0, 1, 1]),
    entry("A001", "called", [1, 1, 1]),
    entry("A002", "waiting", [1, 2, 2]),
    entry("A003", "waiting", [1, 3, 3], { absent_until: 9 }),
    entry("A004", "waiting", [1, 4, 4]),
    entry("A005", "waiting", [1, 5, 5]),
  );
  const moved = [...shown.entries.values()].find(({ label }) => label === "A005");
  const order = shown.open.get(1).map(({ id }) => id);
  const idOf = (label) => [...shown.entries.values()].find((each) => each.label === label).id;
  const labels = neighboursOf(shown, moved).map(({ label }) => label);
  assert.deepEqual(labels, ["A002", "A004"]);
  const behind = (before) => entryAboveDrop(neighboursOf(shown, moved), order, before === null ? null : idOf(before));
  assert.equal(behind("A000"), null);
  assert.equal(behind("A002"), null);
  assert.equal(behind("A004"), idOf("A002"), "an absent patient is skipped");
  assert.equal(behind(null), idOf("A004"));
});

test("a wait counts whole minutes, until the patient is served", () => {
  const minute = 60_000;
  assert.equal(waitedMinutes(entry("A001", "waiting", [], { joined: 0 }), 2.9 * minute), 2);
  assert.equal(waitedMinutes(entry("A001", "serving", [], { joined: 0, since: 5 * minute }), 60 * minute), 5);
  assert.equal(waitedMinutes(entry("A001", "waiting", [], { joined: minute }), 0), 0, "a clock that is slow");
});

test("patients of one name are marked with the year of birth, however the name is written", () => {
  const garcia = { name: "García, Maria", born: 1951 };
  const other = { name: "maria garcia", born: null };
  const single = { name: "Ada Lovelace", born: 1985 };
  const shared = sharedNames([garcia, single, other, { name: null }, { name: null }]);
  const marks = (patient, year) => namesakeMarks(patient, shared, year).map(({ kind }) => kind);
  assert.deepEqual(marks(garcia), ["namesake", "born"]);
  assert.deepEqual(marks(other), ["namesake"]);
  assert.deepEqual(marks(single), []);
  assert.deepEqual(marks(single, { always: true }), ["born"]);
  assert.deepEqual(marks({ name: null, born: null }), []);
});
