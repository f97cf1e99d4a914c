import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { LANGUAGES } from "../../web/js/shared/i18n.js";
import { lookup } from "../../web/js/shared/languages.js";

const CASES = JSON.parse(readFileSync(new URL("../support/language_cases.json", import.meta.url), "utf8"));

for (const { wanted, supported = LANGUAGES, found } of CASES) {
  test(`the best language of ${wanted.join(", ") || "nothing"} is ${found}`, () => assert.equal(lookup(wanted, supported), found));
}
