import assert from "node:assert/strict";
import { test } from "node:test";

import { fullDateOf } from "../../web/js/admin/site-date.js";
import { learnOffsets } from "../../web/js/shared/i18n.js";

const LATE = Date.parse("2026-11-30T23:30Z");

test("a date has its year, in the way of each language", () => {
  assert.equal(fullDateOf(LATE, "UTC", "en"), "30 November 2026");
  assert.equal(fullDateOf(LATE, "UTC", "fr"), "30 novembre 2026");
  assert.equal(fullDateOf(LATE, "UTC", "es"), "30 de noviembre de 2026");
  assert.equal(fullDateOf(LATE, "UTC", "ar"), "30 نوفمبر 2026");
});

test("a date is that of the site's clock", () => {
  assert.equal(fullDateOf(LATE, "Europe/Berlin", "en"), "1 December 2026");
});

test("the server's offset counts more than the zone data of the device", () => {
  learnOffsets({ time_zone: "America/New_York", offsets: [{ since: 0, minutes: 840 }] });
  assert.equal(fullDateOf(LATE, "America/New_York", "en"), "1 December 2026");
});
