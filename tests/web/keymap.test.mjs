import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_KEYS, assignKey, keyOf, readKeymap, changedKeys } from "../../web/js/desk/keymap.js";

test("every action has a key of its own at first", () => {
  const keys = Object.values(DEFAULT_KEYS);
  assert.equal(new Set(keys).size, keys.length);
  assert.ok(keys.every((key) => keyOf({ key }) === key));
});

test("an action gets another key, but none that is taken", () => {
  assert.deepEqual(assignKey(readKeymap(null), "start", "r"), { taken: "recall" });
  const { keymap } = assignKey(readKeymap(null), "start", "g");
  assert.equal(keymap.start, "g");
  assert.equal(keymap.recall, "r");
  assert.deepEqual(assignKey(keymap, "recall", "s").keymap.recall, "s", "the one that is free now");
  assert.equal(DEFAULT_KEYS.start, "s");
});

test("what is kept is what is other than at first, and it comes back", () => {
  const { keymap } = assignKey(readKeymap(null), "start", "é");
  assert.equal(changedKeys(keymap), '{"start":"é"}');
  assert.deepEqual(readKeymap(changedKeys(keymap)), keymap);
  assert.equal(changedKeys(readKeymap(null)), "{}");
});

test("what makes no sense any more is as at first", () => {
  for (const kept of ["", "[", "7", "null", '{"start":"ctrl"}', '{"start":7}', '{"gone":"g"}', '{"start":"r"}']) {
    assert.deepEqual(readKeymap(kept), { ...DEFAULT_KEYS }, kept);
  }
});

test("keys that move, choose or leave cannot be given away", () => {
  for (const key of ["Enter", "Escape", "Tab", "ArrowDown", " ", "F5", "Dead"]) assert.equal(keyOf({ key }), null, key);
  assert.equal(keyOf({ key: "N" }), "n");
  assert.equal(keyOf({ key: "?" }), "?");
  assert.equal(keyOf({ key: "ن" }), "ن");
});
