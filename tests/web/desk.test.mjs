import assert from "node:assert/strict";
import { test } from "node:test";
import { deskOf, guestOf, possibleAt, waitedMinutes } from "../../web/js/components/desk.js";
import { byRank } from "../../web/js/live/cells.js";

const entry = (label, state, rank, more = {}) => ({
  label, state, rank, queue: 1, point: null, priority: "standard", joined: 0, since: 0, calls: 0, name: null, party: 1,
  language: "en", ...more,
});
const desk = (...entries) =>
  deskOf(
    new Map([
      ["queue:2", { name: "Blood tests", prefix: "B", position: 1 }],
      ["queue:1", { name: "Registration", prefix: "A", position: 0 }],
      ["point:7", { name: "Room 7", queues: [1], position: 0, entry: entries.find((each) => each.point === 7)?.id ?? null }],
      ...entries.map((each, index) => [`entry:${each.id ?? index + 100}`, each]),
    ]),
  );
const point = (from) => from.points[0];

test("ranks compare element by element, as numbers", () => {
  const ranks = [[1, 9, 3], [1, 10, 2], [0, 99, 5], [1, 9, 20]].map((rank) => ({ rank }));
  assert.deepEqual(ranks.sort(byRank).map(({ rank }) => rank), [[0, 99, 5], [1, 9, 3], [1, 9, 20], [1, 10, 2]]);
});

test("queues stand as the site has put them, their entries by rank, no-shows apart", () => {
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

test("only the steps that the state allows are possible, the usual one first", () => {
  const here = { point: 7, id: 100 };
  assert.deepEqual(possibleAt(desk(), null), []);
  assert.deepEqual(possibleAt(desk(), point(desk())), [], "nobody is waiting");
  const waiting = desk(entry("A001", "waiting", [1, 1, 1]));
  assert.deepEqual(possibleAt(waiting, point(waiting)), ["call-next"]);
  const elsewhere = desk(entry("B001", "waiting", [1, 1, 1], { queue: 2 }));
  assert.deepEqual(possibleAt(elsewhere, point(elsewhere)), [], "not a queue of this point");
  const called = desk(entry("A001", "called", [1, 1, 1], here));
  assert.deepEqual(possibleAt(called, point(called)), ["start", "recall", "no-show", "transfer"]);
  assert.equal(guestOf(called, point(called)).label, "A001");
  const serving = desk(entry("A001", "serving", [1, 1, 1], here));
  assert.deepEqual(possibleAt(serving, point(serving)), ["complete", "transfer"]);
});

test("a wait counts whole minutes, until the patient is seen", () => {
  const minute = 60_000;
  assert.equal(waitedMinutes(entry("A001", "waiting", [], { joined: 0 }), 2.9 * minute), 2);
  assert.equal(waitedMinutes(entry("A001", "serving", [], { joined: 0, since: 5 * minute }), 60 * minute), 5);
  assert.equal(waitedMinutes(entry("A001", "waiting", [], { joined: minute }), 0), 0, "a clock that is behind");
});
