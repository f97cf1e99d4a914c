import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_KEYS, assignKey, keyOf, readKeymap, changedKeys } from "../../web/js/desk/keymap.js";

test("every action has its own default key", () => {
  const keys = Object.values(DEFAULT_KEYS);
  assert.equal(new Set(keys).size, keys.length);
  assert.ok(keys.every((key) => keyOf({ key }) === key));
});

test("an action can get a free key, but not one in use", () => {
  assert.deepEqual(assignKey(readKeymap(null), "start", "r"), { taken: "recall" });
  const { keymap } = assignKey(readKeymap(null), "start", "q");
  assert.equal(keymap.start, "q");
  assert.equal(keymap.recall, "r");
  assert.deepEqual(assignKey(keymap, "recall", "s").keymap.recall, "s", "the key that has become free");
  assert.equal(DEFAULT_KEYS.start, "s");
});

test("only changed keys are saved, and they are read back", () => {
  const { keymap } = assignKey(readKeymap(null), "start", "é");
  assert.equal(changedKeys(keymap), '{"start":"é"}');
  assert.deepEqual(readKeymap(changedKeys(keymap)), keymap);
  assert.equal(changedKeys(readKeymap(null)), "{}");
});

test("invalid saved keys give the defaults", () => {
  for (const kept of ["", "[", "7", "null", '{"start":"ctrl"}', '{"start":7}', '{"gone":"g"}', '{"start":"r"}']) {
    assert.deepEqual(readKeymap(kept), { ...DEFAULT_KEYS }, kept);
  }
});

test("keys that move the focus, select or close cannot be assigned", () => {
  for (const key of ["Enter", "Escape", "Tab", "ArrowDown", " ", "F5", "Dead"]) assert.equal(keyOf({ key }), null, key);
  assert.equal(keyOf({ key: "N" }), "n");
  assert.equal(keyOf({ key: "?" }), "?");
  assert.equal(keyOf({ key: "ن" }), "ن");
});
