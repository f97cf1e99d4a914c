import assert from "node:assert/strict";
import { test } from "node:test";

import { daysOf } from "../../web/js/components/free-times.js";
import { dateAfter, localAt, offsetName, timeAt } from "../../web/js/shared/local-time.js";

const slot = (local_start, offset_minutes, provider_id = 1, fold = 0) => ({
  local_start,
  fold,
  offset_minutes,
  starts_at: Date.parse(`${local_start}Z`) - offset_minutes * 60_000,
  minutes: 15,
  provider_id,
  left: 1,
});

test("slots are listed by day, and two providers at one time are one choice", () => {
  const days = daysOf([slot("2027-01-15T09:00", 60), slot("2027-01-15T09:00", 60, 2), slot("2027-01-15T09:15", 60), slot("2027-01-16T09:00", 60)]);
  assert.deepEqual(days.map(({ date }) => date), ["2027-01-15", "2027-01-16"]);
  assert.deepEqual(days[0].choices.map(({ label }) => label), ["09:00", "09:15"]);
  assert.equal(days[0].choices[0].slot.provider_id, 1);
});

test("two equal local times are two choices", () => {
  const [day] = daysOf([slot("2026-11-01T01:30", -240), slot("2026-11-01T01:30", -300, 1, 1)]);
  assert.deepEqual(day.choices.map(({ key }) => key), ["2026-11-01T01:30/0", "2026-11-01T01:30/1"]);
  assert.deepEqual(day.choices.map(({ slot: each }) => each.starts_at), [Date.parse("2026-11-01T05:30Z"), Date.parse("2026-11-01T06:30Z")]);
});

test("an instant is read by the server's offset", () => {
  // Vancouver in 2027 is seven hours behind UTC; zone data before 2026b say eight.
  assert.equal(timeAt(Date.parse("2027-01-15T16:00Z"), -420), "09:00");
  assert.equal(localAt(Date.parse("2025-01-16T02:00Z"), -300), "2025-01-15T21:00");
  assert.equal(dateAfter("2026-02-28", 1), "2026-03-01");
  assert.deepEqual([120, -210, 0, 345].map(offsetName), ["UTC+2", "UTC\u22123:30", "UTC+0", "UTC+5:45"]);
});
