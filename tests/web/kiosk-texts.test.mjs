import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { LANGUAGES } from "../../web/js/shared/i18n.js";
import { ASK_MS, LIMIT_MS } from "../../web/js/kiosk/reach.js";
import { dateOf } from "../../web/js/kiosk/check-in.js";

/** Words of blame: the person before a kiosk has done nothing wrong. */
const BLAME = {
  en: /error|fail|unsuccessful|invalid|wrong|denied/i,
  es: /error|fall[óaoi]|fracas|inválid|incorrect|denegad/i,
  fr: /erreur|échec|échou|invalide|incorrect|refus/i,
  ar: /خطأ|فشل|غير صالح|غير صحيح|مرفوض|رفض/,
};

for (const language of LANGUAGES) {
  test(`${language}: no text of the kiosk says error, failed or unsuccessful`, () => {
    const texts = JSON.parse(readFileSync(new URL(`../../web/locales/kiosk/${language}.json`, import.meta.url), "utf8"));
    for (const [key, text] of Object.entries(texts)) {
      for (const each of typeof text === "string" ? [text] : Object.values(text)) assert.doesNotMatch(each, BLAME[language], key);
    }
  });
}

test("eight digits are a date of birth, or no day", () => {
  assert.equal(dateOf("24121985"), "1985-12-24");
  assert.equal(dateOf("29022000"), "2000-02-29");
  for (const none of ["", "2412198", "31021985", "00121985", "24131985", "24121885", "24122999"]) assert.equal(dateOf(none), null, none);
});

test("a network that falls silent is known before three seconds have passed", () => {
  assert.ok(ASK_MS + 2 * LIMIT_MS < 3_000, "after a pause, it asks twice");
});
