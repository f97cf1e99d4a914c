import assert from "node:assert/strict";
import { test } from "node:test";

import { PAUSE_MS, ScannedText } from "../../web/js/kiosk/scanner.js";

/** Type keys with a pause before each; return the texts that they end. */
function typed(keys, pauseMs, text = new ScannedText(), start = 0) {
  const found = keys.map((key, index) => text.take(key, start + index * pauseMs));
  return found.filter((each) => each !== null);
}

const CODE = [..."K7M3QX", "Enter"];

test("a code is whole at any speed of the scanner", () => {
  for (const pauseMs of [0, 1, 79, 81, 400, PAUSE_MS]) assert.deepEqual(typed(CODE, pauseMs), ["K7M3QX"], `${pauseMs} ms`);
});

test("two codes in a row are two texts", () => {
  assert.deepEqual(typed([...CODE, ..."A4C6", "Enter"], 2), ["K7M3QX", "A4C6"]);
});

test("the keys of capital letters are no part of the text", () => {
  assert.deepEqual(typed(["Shift", "K", "Shift", "M", "3", "4", "Enter"], 2), ["KM34"]);
});

test("a scan without an end does not spoil the next one", () => {
  const text = new ScannedText();
  assert.deepEqual(typed([..."XX9"], 2, text), []);
  assert.deepEqual(typed(CODE, 2, text, PAUSE_MS + 100), ["K7M3QX"]);
});

test("keys that press buttons are no code", () => {
  assert.deepEqual(typed([" ", " ", " ", " ", "Enter", "Tab", "Enter", "a", "Enter"], 50), []);
});
