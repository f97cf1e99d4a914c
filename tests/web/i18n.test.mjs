import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync } from "node:fs";
import { has, speak, t, time } from "../../web/js/i18n.js";

globalThis.fetch = async (url) => new Response(readFileSync(url));
globalThis.document = { documentElement: {}, querySelectorAll: () => [] };
await speak(["xx-YY", "en-GB"]);

test("the first language that we have is spoken", () => assert.equal(document.documentElement.lang, "en"));

test("a number chooses its plural and is written as the language does", () => {
  assert.equal(t("ticket.waiting", { n: 1 }), "1 person before you");
  assert.equal(t("ticket.waiting", { n: 1234 }), "1,234 people before you");
});

test("names are filled in, and a missing one leaves a gap rather than a brace", () => {
  assert.equal(t("done.call-next", { label: "A012", point: "Room 3" }), "A012 is called to Room 3.");
  assert.equal(t("done.complete"), " is done.");
});

test("an unknown key shows itself", () => {
  assert.equal(t("no.such.key"), "no.such.key");
  assert.ok(!has("no.such.key") && !has("toString") && has("product"));
});

test("a time is that of the zone", () => assert.equal(time(Date.UTC(2025, 0, 1, 23, 5), "Europe/Berlin"), "00:05"));
