import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync } from "node:fs";
import { LANGUAGES, formatDay, firstSupported, hasText, preferredLanguages, addTexts, loadLanguage, loadPart, currentLanguage, t, formatTime, useClock, nameIn, named } from "../../web/js/shared/i18n.js";

globalThis.fetch = async (url) => new Response(readFileSync(new URL(url)));
addTexts("ticket");
globalThis.document = { documentElement: {}, querySelectorAll: () => [] };
globalThis.location = { search: "" };
globalThis.navigator = { languages: ["de", "es-MX"] };
await loadLanguage(["xx-YY", "en-GB"]);

test("the first language with a locale is loaded", () => assert.equal(document.documentElement.lang, "en"));

test("a number chooses the plural form and is formatted for the language", () => {
  assert.equal(t("ticket.waiting", { n: 1 }), "1 person before you");
  assert.equal(t("ticket.waiting", { n: 1234 }), "1,234 people before you");
});

test("values are filled in, and a missing one leaves nothing", () => {
  assert.equal(t("done.call-next", { label: "A012", point: "Room 3" }), "A012 is called to Room 3.");
  assert.equal(t("done.complete"), " is done.");
});

test("an unknown key returns itself", () => {
  assert.equal(t("no.such.key"), "no.such.key");
  assert.ok(!hasText("no.such.key") && !hasText("toString") && hasText("product"));
});

test("a time is formatted for its time zone", () => assert.equal(formatTime(Date.UTC(2025, 0, 1, 23, 5), "Europe/Berlin"), "00:05"));

test("times have the hours of the site's clock, in every language", async () => {
  const instant = Date.UTC(2025, 0, 1, 13, 40);
  const midnight = Date.UTC(2025, 0, 1, 23, 5);
  useClock("12");
  assert.match(formatTime(instant, "Europe/Berlin"), /^2:40\spm$/);
  assert.match(formatTime(midnight, "Europe/Berlin"), /^12:05\sam$/);
  for (const [tag, shown] of [["es", /^2:40\sp/], ["fr", /^2:40\sPM$/], ["ar", /^2:40\s/]]) {
    await loadLanguage([tag]);
    assert.match(formatTime(instant, "Europe/Berlin"), shown);
  }
  useClock(undefined);
  assert.match(formatTime(instant, "Europe/Berlin"), /^2:40/, "a view without a site changes nothing");
  useClock("24");
  assert.equal(formatTime(instant, "Europe/Berlin"), "14:40");
  await loadLanguage(["en"]);
  assert.equal(formatTime(midnight, "Europe/Berlin"), "00:05");
});

test("the address comes first, then the choice, the patient or site, and the browser", () => {
  const stored = new Map();
  globalThis.localStorage = { getItem: (key) => stored.get(key) ?? null, setItem: (key, value) => stored.set(key, value) };
  const browser = navigator.languages;
  assert.deepEqual(preferredLanguages("es", null), ["es", ...browser]);
  localStorage.setItem("language", "fr");
  assert.deepEqual(preferredLanguages("es"), ["fr", "es", ...browser]);
  location.search = "?lang=ar";
  assert.deepEqual(preferredLanguages("es"), ["ar", "fr", "es", ...browser]);
  assert.deepEqual(preferredLanguages("zh-Hant", "es"), ["ar", "fr", "zh-Hant", "es", ...browser]);
  location.search = "";
  assert.equal(firstSupported(["tlh", "fr-CA"]), "fr");
  assert.equal(firstSupported([]), "en");
});

test("Arabic is right to left, has six plural forms, the digits of the tickets, and isolated values", async () => {
  assert.equal(await loadLanguage(["ar-EG"]), true);
  assert.equal(document.documentElement.dir, "rtl");
  assert.equal(currentLanguage(), "ar");
  const forms = [0, 1, 2, 3, 11, 100].map((n) => t("ticket.waiting", { n }));
  assert.equal(new Set(forms).size, 6);
  assert.match(forms[4], /11/);
  assert.match(t("ticket.called", { point: "Room 3" }), /\u2068Room 3\u2069/);
  const nested = t("ticket.called", { point: t("ticket.called", { point: "Room 3" }) });
  assert.match(nested, /\u2067[^\u2067]*\u2068Room 3\u2069/, "a text of the language keeps its direction inside of another one");
  assert.equal(formatTime(Date.UTC(2025, 0, 1, 23, 5), "Europe/Berlin"), "00:05");
  assert.equal(await loadLanguage(["ar"]), false, "it is loaded already");
});

test("days are formatted for the language", async () => {
  const instant = Date.UTC(2025, 2, 3, 12);
  const found = {};
  for (const tag of LANGUAGES) {
    await loadLanguage([tag]);
    found[tag] = formatDay(instant, "UTC");
  }
  assert.match(found.en, /^Monday,? 3 March$/);
  assert.equal(found.es, "lunes, 3 de marzo");
  assert.equal(found.fr, "lundi 3 mars");
  assert.match(found.ar, /^الاثنين، 3/);
  assert.equal(document.documentElement.dir, "rtl");
});

test("a name is in the reader's language, or else the main one", async () => {
  const names = { ar: "\u063a\u0631\u0641\u0629 1", es: "Sala 1", "es-419": "Consultorio 1", "zh-Hant": "1 \u865f\u8a3a\u9593" };
  const read = async (...wanted) => (await loadLanguage(wanted), nameIn("Room 1", names));
  assert.equal(await read("ar"), names.ar);
  assert.equal(await read("es-MX", "ar"), "Sala 1");
  assert.equal(await read("es-419"), "Consultorio 1");
  assert.equal(await read("zh-Hant-TW", "fr"), names["zh-Hant"], "the page has no texts in it, the name has");
  assert.equal(await read("fr", "ar"), "Room 1", "the reader wants French before Arabic");
  assert.equal(await read("tlh"), "Room 1");
  assert.deepEqual(named({ id: 7, name: "Room 1", names: {} }), { id: 7, name: "Room 1", names: {} });
  assert.equal(nameIn("Room 1", names, ["ar-EG"]), names.ar);
  assert.equal(nameIn("Room 1", undefined), "Room 1");
});

test("the texts of a part join those of the page, also after a change of language", async () => {
  await loadLanguage(["en"]);
  await loadPart("appointments");
  assert.equal(t("appointment.late", { n: 4 }), "4 min late");
  assert.equal(t("action.call"), "Call");
  await loadLanguage(["es"]);
  assert.equal(t("appointment.late", { n: 4 }), "4 min tarde");
});
