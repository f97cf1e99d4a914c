import assert from "node:assert/strict";
import { test } from "node:test";
import { Announcer } from "../../web/js/components/announcer.js";

const SITE = ["site", { name: "Clinic" }];
const called = (entry, { at = entry, calls = 1, point = 3 } = {}) => [
  `entry:${entry}`,
  { label: `A${entry}`, point, at, calls, name: null, language: "en" },
];
const announced = (id, entry, kind = "call") => [`announcement:${id}`, { entry, kind }];
const ROOM = ["point:3", { name: "Room 3" }];
const heard = (announcer, ...cells) => announcer.take(new Map([SITE, ROOM, ...cells])).map(({ label }) => label);

test("calls that are open when the page first opens are not announced", () => {
  const announcer = new Announcer();
  assert.equal(announcer.heard, null);
  assert.deepEqual(heard(announcer, called(1), announced(5, 1)), []);
  assert.deepEqual(heard(announcer, called(1), announced(5, 1)), []);
});

test("each call is announced once, in the server's order", () => {
  const announcer = new Announcer();
  heard(announcer);
  const cells = [called(1), called(2), announced(10, 2), announced(11, 1)];
  assert.deepEqual(heard(announcer, ...cells), ["A2", "A1"]);
  assert.deepEqual(heard(announcer, ...cells), []);
  assert.deepEqual(heard(announcer, called(1, { calls: 2 }), called(2), announced(12, 1, "recall")), ["A1"], "a recall too");
});

test("an announcement has the ticket, the point and the language", () => {
  const announcer = new Announcer();
  heard(announcer);
  assert.deepEqual(announcer.take(new Map([SITE, ROOM, called(1)])), [{ entry: 1, label: "A1", point: "Room 3", names: {}, language: "en" }]);
});

test("after an outage the open calls are announced, even without an announcement in the view", () => {
  const announcer = new Announcer();
  heard(announcer, called(1));
  const cells = [called(1), called(3, { at: 30 }), called(2, { at: 20 }), called(4, { at: 10 }), announced(9, 5), announced(8, 4)];
  assert.deepEqual(heard(announcer, ...cells), ["A2", "A3", "A4"], "a call without an announcement is older than one that has it");
});

test("a reloaded page announces only the calls that it has not announced", () => {
  const before = new Announcer();
  heard(before, called(1), announced(1, 1));
  const kept = JSON.parse(JSON.stringify(before.heard));
  const after = new Announcer(kept);
  assert.deepEqual(heard(after, called(1), called(2), announced(1, 1), announced(2, 2)), ["A2"]);
});

test("a call that was undone is silent, and announced when it is made again", () => {
  const announcer = new Announcer();
  heard(announcer);
  assert.deepEqual(heard(announcer, called(1, { at: 5 }), announced(1, 1)), ["A1"]);
  assert.deepEqual(heard(announcer, announced(1, 1), announced(2, 1, "withdrawn")), []);
  assert.deepEqual(heard(announcer, called(1, { at: 9 }), announced(3, 1)), ["A1"]);
});

test("a call that is missing for one view is not announced again", () => {
  const announcer = new Announcer();
  heard(announcer);
  heard(announcer, called(1), announced(7, 1));
  heard(announcer);
  assert.deepEqual(heard(announcer, called(1), announced(7, 1)), []);
});

test("the announcer remembers the latest 300 calls", () => {
  const announcer = new Announcer();
  heard(announcer);
  for (let entry = 1; entry <= 2000; entry += 1) heard(announcer, called(entry));
  assert.equal(Object.keys(announcer.heard).length, 300);
});

test("after a restore a new call with the ids of an announced one is announced", () => {
  const announcer = new Announcer();
  heard(announcer);
  assert.deepEqual(heard(announcer, called(1, { at: 1000 }), announced(7, 1)), ["A1"]);
  const again = [called(1, { at: 2000 }), announced(7, 1)];
  assert.deepEqual(heard(announcer, ...again), ["A1"]);
  assert.deepEqual(heard(announcer, ...again), []);
});
