import assert from "node:assert/strict";
import { test } from "node:test";
import { Announcer } from "../../web/js/components/announcer.js";

const called = (...entries) => entries.map((entry) => [`entry:${entry}`, { label: `A${entry}` }]);
const announced = (id, entry) => [`announcement:${id}`, { entry }];

test("what was there when the page came is not heard", () => {
  const announcer = new Announcer();
  assert.deepEqual(announcer.take(new Map([...called(1), announced(5, 1)])), []);
});

test("each is heard once, the earliest first", () => {
  const announcer = new Announcer();
  announcer.take(new Map());
  const cells = new Map([...called(1, 2), announced(10, 2), announced(9, 1)]);
  assert.deepEqual(announcer.take(cells), ["announcement:9", "announcement:10"]);
  assert.deepEqual(announcer.take(cells), []);
  assert.deepEqual(announcer.take(new Map([...cells, announced(11, 1)])), ["announcement:11"], "a recall is heard too");
});

test("after an outage, only those are heard whom it still helps", () => {
  const announcer = new Announcer();
  announcer.take(new Map());
  assert.deepEqual(announcer.take(new Map([...called(2), announced(7, 1), announced(8, 2)])), ["announcement:8"]);
});

test("one that went and came back with a fresh snapshot is not heard again", () => {
  const announcer = new Announcer();
  announcer.take(new Map());
  const cells = new Map([...called(1), announced(7, 1)]);
  announcer.take(cells);
  announcer.take(new Map());
  assert.deepEqual(announcer.take(cells), []);
});

test("after a restore, another announcement may have a number that was heard", () => {
  const announcer = new Announcer();
  announcer.take(new Map());
  const before = new Map([...called(1), ["announcement:7", { entry: 1, at: 1000 }]]);
  assert.deepEqual(announcer.take(before), ["announcement:7"]);
  const after = new Map([...called(2), ["announcement:7", { entry: 2, at: 2000 }]]);
  assert.deepEqual(announcer.take(after), ["announcement:7"]);
  assert.deepEqual(announcer.take(after), []);
});
