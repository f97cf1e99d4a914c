import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULTS, assign, keyOf, read, written } from "../../web/js/desk/keymap.js";

test("every action has a key of its own at first", () => {
  const keys = Object.values(DEFAULTS);
  assert.equal(new Set(keys).size, keys.length);
  assert.ok(keys.every((key) => keyOf({ key }) === key));
});

test("an action gets another key, but none that is taken", () => {
  assert.deepEqual(assign(read(null), "start", "r"), { taken: "recall" });
  const { keymap } = assign(read(null), "start", "g");
  assert.equal(keymap.start, "g");
  assert.equal(keymap.recall, "r");
  assert.deepEqual(assign(keymap, "recall", "s").keymap.recall, "s", "the one that is free now");
  assert.equal(DEFAULTS.start, "s");
});

test("what is kept is what is other than at first, and it comes back", () => {
  const { keymap } = assign(read(null), "start", "é");
  assert.equal(written(keymap), '{"start":"é"}');
  assert.deepEqual(read(written(keymap)), keymap);
  assert.equal(written(read(null)), "{}");
});

test("what makes no sense any more is as at first", () => {
  for (const kept of ["", "[", "7", "null", '{"start":"ctrl"}', '{"start":7}', '{"gone":"g"}', '{"start":"r"}']) {
    assert.deepEqual(read(kept), { ...DEFAULTS }, kept);
  }
});

test("keys that move, choose or leave cannot be given away", () => {
  for (const key of ["Enter", "Escape", "Tab", "ArrowDown", " ", "F5", "Dead"]) assert.equal(keyOf({ key }), null, key);
  assert.equal(keyOf({ key: "N" }), "n");
  assert.equal(keyOf({ key: "?" }), "?");
  assert.equal(keyOf({ key: "ن" }), "ن");
});
