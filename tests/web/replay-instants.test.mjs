import assert from "node:assert/strict";
import { test } from "node:test";
import { guessedOffset, instantsOf, withOffset } from "../../web/js/replay/instants.js";

const HOUR = 3_600_000;
const BACK = Date.UTC(2026, 9, 25, 1); // Berlin: 03:00 becomes 02:00
const FORWARD = Date.UTC(2026, 2, 29, 1); // Berlin: 02:00 becomes 03:00

test("a local time has one instant", () => {
  assert.deepEqual(instantsOf("2026-11-30T10:42:10", [{ since: 0, minutes: 60 }]), [{ at: Date.UTC(2026, 10, 30, 9, 42, 10), minutes: 60 }]);
});

test("a time of the doubled hour has two instants, the earlier one first", () => {
  const offsets = [{ since: 0, minutes: 120 }, { since: BACK, minutes: 60 }];
  assert.deepEqual(instantsOf("2026-10-25T02:30", offsets), [{ at: BACK - HOUR / 2, minutes: 120 }, { at: BACK + HOUR / 2, minutes: 60 }]);
  assert.deepEqual(instantsOf("2026-10-25T03:30", offsets).map(({ minutes }) => minutes), [60]);
});

test("a time in the gap has no instant", () => {
  assert.deepEqual(instantsOf("2026-03-29T02:30", [{ since: 0, minutes: 60 }, { since: FORWARD, minutes: 120 }]), []);
});

test("the offset that is guessed first is that of the browser's zone data", () => {
  assert.equal(guessedOffset("2026-07-01T12:00", "Europe/Berlin"), 120);
  assert.equal(guessedOffset("2026-07-01T12:00", "America/St_Johns"), -150);
  assert.equal(guessedOffset("2026-07-01T12:00", "UTC"), 0);
});

test("an instant is written with its offset", () => {
  const at = Date.UTC(2026, 10, 30, 9, 42, 10);
  assert.equal(withOffset(at, 60), "2026-11-30T10:42:10+01:00");
  assert.equal(withOffset(at, -210), "2026-11-30T06:12:10-03:30");
  assert.equal(withOffset(at, 0), "2026-11-30T09:42:10+00:00");
});
