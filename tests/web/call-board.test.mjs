import assert from "node:assert/strict";
import { test } from "node:test";
import { lastCalls } from "../../web/js/components/last-calls.js";
import { Announcer } from "../../web/js/components/announcer.js";
import { doubtfulCalls, openCalls, standingCells } from "../../web/js/components/call-board.js";

const call = (label, point, at) => ({ label, point, at, calls: 1, name: null, language: "en" });

test("the call or recall announced last comes first", () => {
  const cells = new Map([
    ["point:3", { name: "Room 3" }],
    ["point:4", { name: "Room 4" }],
    ["entry:1", call("A001", 3, 100)],
    ["entry:2", call("A002", 4, 200)],
    ["announcement:10", { entry: 1, label: "A001", point: 3, kind: "call", at: 100 }],
    ["announcement:11", { entry: 2, label: "A002", point: 4, kind: "call", at: 200 }],
  ]);
  const shown = () => openCalls(cells).map(({ call: { label }, point }) => `${label} ${point}`);
  assert.deepEqual(shown(), ["A002 Room 4", "A001 Room 3"]);
  cells.set("announcement:12", { entry: 1, label: "A001", point: 3, kind: "recall", at: 300 });
  assert.deepEqual(shown(), ["A001 Room 3", "A002 Room 4"]);
});

test("calls without an announcement are ordered by their time", () => {
  const cells = new Map([["entry:1", call("A001", 3, 100)], ["entry:2", call("A002", 4, 200)]]);
  assert.deepEqual(openCalls(cells).map(({ call: { label } }) => label), ["A002", "A001"]);
});

test("a forgotten call is shown among the last calls and is not spoken, also after a restart", () => {
  const cells = new Map([
    ["point:3", { name: "Room 3" }],
    ["entry:1", { ...call("A001", 3, 100), stands_until: 700 }],
    ["announcement:10", { entry: 1, label: "A001", point: 3, kind: "call", at: 100 }],
  ]);
  const labels = (now) => [openCalls, lastCalls].map((calls) => calls(standingCells(cells, now)).map((each) => each.label ?? each.call.label));
  assert.deepEqual(labels(699), [["A001"], []]);
  assert.deepEqual(labels(700), [[], ["A001"]]);
  const announcer = new Announcer({});
  assert.deepEqual(announcer.take(standingCells(cells, 700)), [], "the display was off during the call");
  cells.set("entry:1", { ...call("A001", 3, 100), calls: 2, stands_until: 1500 });
  assert.deepEqual(labels(900), [["A001"], []], "a recall renews it");
  assert.deepEqual(announcer.take(standingCells(cells, 900)).map(({ label }) => label), ["A001"]);
});

test("a call from before an outage is neither shown nor spoken, and no last call names its room", () => {
  const cells = new Map([
    ["point:3", { name: "Room 3" }],
    ["entry:1", { ...call("A001", 3, 100), stands_until: 150, in_doubt: true }],
    ["announcement:10", { entry: 1, label: "A001", point: 3, kind: "call", at: 100 }],
  ]);
  const standing = () => standingCells(cells, 900);
  assert.deepEqual([openCalls(standing()), lastCalls(standing())], [[], []]);
  assert.deepEqual(doubtfulCalls(cells).map(({ label }) => label), ["A001"]);
  const announcer = new Announcer({ 1: "100.1" });
  assert.deepEqual(announcer.take(standing()), []);
  cells.set("entry:1", { ...call("A001", 3, 100), stands_until: 1500, in_doubt: false });
  assert.deepEqual(openCalls(standing()).map(({ call: { label } }) => label), ["A001"], "staff have confirmed it");
  assert.deepEqual(announcer.take(standing()), [], "it was heard before the outage");
});
