import assert from "node:assert/strict";
import { test } from "node:test";
import { Announcer } from "../../web/js/display/announcer.js";

const SITE = ["site", { name: "Clinic" }];
const called = (entry, { at = entry, calls = 1, point = 3 } = {}) => [
  `entry:${entry}`,
  { label: `A${entry}`, point, at, calls, name: null, language: "en" },
];
const announced = (id, entry, kind = "call") => [`announcement:${id}`, { entry, kind }];
const ROOM = ["point:3", { name: "Room 3" }];
const heard = (announcer, ...cells) => announcer.take(new Map([SITE, ROOM, ...cells])).map(({ label }) => label);

test("what was there when the page first came is not news", () => {
  const announcer = new Announcer();
  assert.equal(announcer.heard, null);
  assert.deepEqual(heard(announcer, called(1), announced(5, 1)), []);
  assert.deepEqual(heard(announcer, called(1), announced(5, 1)), []);
});

test("each is heard once, in the order in which the server announced them", () => {
  const announcer = new Announcer();
  heard(announcer);
  const cells = [called(1), called(2), announced(10, 2), announced(11, 1)];
  assert.deepEqual(heard(announcer, ...cells), ["A2", "A1"]);
  assert.deepEqual(heard(announcer, ...cells), []);
  assert.deepEqual(heard(announcer, called(1, { calls: 2 }), called(2), announced(12, 1, "recall")), ["A1"], "a recall too");
});

test("what is to be heard says all that is to be said", () => {
  const announcer = new Announcer();
  heard(announcer);
  assert.deepEqual(announcer.take(new Map([SITE, ROOM, called(1)])), [{ entry: 1, label: "A1", point: "Room 3", language: "en" }]);
});

test("after an outage, the calls still open are heard, even if their announcements are told no more", () => {
  const announcer = new Announcer();
  heard(announcer, called(1));
  const cells = [called(1), called(3, { at: 30 }), called(2, { at: 20 }), called(4, { at: 10 }), announced(9, 5), announced(8, 4)];
  assert.deepEqual(heard(announcer, ...cells), ["A2", "A3", "A4"], "what is told no more is older than what is");
});

test("a page that was loaded anew goes on where it was", () => {
  const before = new Announcer();
  heard(before, called(1), announced(1, 1));
  const kept = JSON.parse(JSON.stringify(before.heard));
  const after = new Announcer(kept);
  assert.deepEqual(heard(after, called(1), called(2), announced(1, 1), announced(2, 2)), ["A2"]);
});

test("a call that was taken back is silent, and heard when it is made again", () => {
  const announcer = new Announcer();
  heard(announcer);
  assert.deepEqual(heard(announcer, called(1, { at: 5 }), announced(1, 1)), ["A1"]);
  assert.deepEqual(heard(announcer, announced(1, 1), announced(2, 1, "withdrawn")), []);
  assert.deepEqual(heard(announcer, called(1, { at: 9 }), announced(3, 1)), ["A1"]);
});

test("a call that went and came back with a fresh snapshot is not heard again", () => {
  const announcer = new Announcer();
  heard(announcer);
  heard(announcer, called(1), announced(7, 1));
  heard(announcer);
  assert.deepEqual(heard(announcer, called(1), announced(7, 1)), []);
});

test("it does not remember for ever", () => {
  const announcer = new Announcer();
  heard(announcer);
  for (let entry = 1; entry <= 2000; entry += 1) heard(announcer, called(entry));
  assert.equal(Object.keys(announcer.heard).length, 300);
});

test("after a restore, another call may have the numbers of one that was heard", () => {
  const announcer = new Announcer();
  heard(announcer);
  assert.deepEqual(heard(announcer, called(1, { at: 1000 }), announced(7, 1)), ["A1"]);
  const again = [called(1, { at: 2000 }), announced(7, 1)];
  assert.deepEqual(heard(announcer, ...again), ["A1"]);
  assert.deepEqual(heard(announcer, ...again), []);
});
