import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isOpen, opensAt } from "../../web/js/kiosk/opening.js";
import { learnOffsets } from "../../web/js/shared/i18n.js";

const CASES = JSON.parse(readFileSync(new URL("../support/hours_cases.json", import.meta.url), "utf8"));

const HOUR_MS = 3_600_000;

/**
 * Return the offsets of a zone around an instant, as the server sends them.
 *
 * @param {string} zone
 * @param {number} now
 */
function offsetsAround(zone, now) {
  const format = new Intl.DateTimeFormat("en", { timeZone: zone, timeZoneName: "longOffset" });
  const found = [];
  for (let since = now - 48 * HOUR_MS; since < now + 16 * 24 * HOUR_MS; since += HOUR_MS / 4) {
    const at = Math.floor(since / (HOUR_MS / 4)) * (HOUR_MS / 4);
    const name = format.formatToParts(at).find(({ type }) => type === "timeZoneName")?.value ?? "";
    const [, sign, hours, minutes] = /GMT([+-])(\d\d):(\d\d)/.exec(name) ?? [null, "+", "0", "0"];
    const offset = (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
    if (found.at(-1)?.minutes !== offset) found.push({ since: at, minutes: offset });
  }
  return found;
}

for (const { name, now_ms: now, hours, ...site } of CASES) {
  test(`opening hours: ${name}`, () => {
    learnOffsets({ time_zone: site.time_zone, offsets: offsetsAround(site.time_zone, now) });
    const opening = { ...site, hours: hours.map(([day, begin, until]) => ({ day, begin, until })) };
    assert.equal(isOpen(now, opening), site.open);
    if (!site.open) assert.equal(opensAt(now, opening), site.opens_at_ms);
  });
}
