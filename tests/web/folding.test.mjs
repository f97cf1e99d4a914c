import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { wordsOf } from "../../web/js/desk/folding.js";
import { entriesMatching } from "../../web/js/reception/desk.js";

const CASES = JSON.parse(readFileSync(new URL("../support/search_cases.json", import.meta.url), "utf8"));

for (const { name, typed, found } of CASES) {
  test(`the desk ${found ? "finds" : "does not find"} ${name} by ${typed}`, () => {
    assert.equal(entriesMatching([{ id: 1, label: "A001", name }], typed).size, found ? 1 : 0);
  });
}

test("the words of a text have no case, accents, apostrophes or punctuation", () => {
  assert.deepEqual(wordsOf("  Sean  O\u2019Connor-\u0141uk, "), ["sean", "oconnor", "luk"]);
  assert.deepEqual(wordsOf("A\u0660\u06f1\u0662"), ["a012"]);
  assert.deepEqual(wordsOf(" ' - "), []);
});
