import assert from "node:assert/strict";
import { test } from "node:test";
import { problemOf, readChoice, spanBefore, spanOf, withChoice } from "../../web/js/insights/period.js";

const TODAY = "2026-03-31";
const choice = (kind, own = null) => ({ kind, own, compared: false, service: null, queue: null, provider: null, sites: null });

for (const [kind, span, before] of [
  ["today", ["2026-03-31", "2026-03-31"], ["2026-03-24", "2026-03-24"]],
  ["week", ["2026-03-25", "2026-03-31"], ["2026-03-18", "2026-03-24"]],
  ["month", ["2026-03-01", "2026-03-31"], ["2026-02-01", "2026-02-28"]],
  ["last-month", ["2026-02-01", "2026-02-28"], ["2026-01-01", "2026-01-31"]],
]) {
  test(`${kind}: its days and those before it`, () => {
    const [[from, to], [earlier, last]] = [span, before];
    assert.deepEqual(spanOf(choice(kind), TODAY), { from, to });
    assert.deepEqual(spanBefore({ from, to }, kind), { from: earlier, to: last });
  });
}

test("a month that has begun is compared with the same days of the month before", () => {
  assert.deepEqual(spanBefore(spanOf(choice("month"), "2026-12-12"), "month"), { from: "2026-11-01", to: "2026-11-12" });
});

test("January is compared with December", () => {
  assert.deepEqual(spanBefore(spanOf(choice("last-month"), "2026-02-03"), "last-month"), { from: "2025-12-01", to: "2025-12-31" });
});

test("own dates are compared with as many days before them", () => {
  const own = { from: "2026-03-02", to: "2026-03-11" };
  assert.deepEqual(spanOf(choice("own", own), TODAY), own);
  assert.deepEqual(spanBefore(own, "own"), { from: "2026-02-20", to: "2026-03-01" });
});

test("own dates have a problem by name", () => {
  assert.equal(problemOf("", "2026-03-01", TODAY), "missing");
  assert.equal(problemOf("2026-02-30", "2026-03-01", TODAY), "missing");
  assert.equal(problemOf("2026-03-02", "2026-03-01", TODAY), "order");
  assert.equal(problemOf("2026-03-02", "2026-04-01", TODAY), "future");
  assert.equal(problemOf("2024-03-02", "2026-03-01", TODAY), "long");
  assert.equal(problemOf("2026-03-01", TODAY, TODAY), null);
});

test("the address keeps the choice", () => {
  const made = { ...choice("own", { from: "2026-03-02", to: "2026-03-11" }), compared: true, queue: 7_000_000_002 };
  const address = withChoice("https://clinic.example/insights?lang=fr&service=3", made);
  assert.match(address, /lang=fr/);
  assert.doesNotMatch(address, /service/);
  assert.deepEqual(readChoice(new URL(address).search), made);
});

test("the address keeps the compared sites", () => {
  for (const sites of ["all", "3,17"]) assert.deepEqual(readChoice(new URL(withChoice("https://clinic.example/insights", { ...choice("today"), sites })).search), { ...choice("today"), sites });
});

test("an address without a choice, or with a wrong one, means the last seven days", () => {
  assert.deepEqual(readChoice(""), choice("week"));
  assert.deepEqual(readChoice("?period=own&from=2026-03-09&to=2026-03-01"), choice("week"));
  assert.deepEqual(readChoice("?period=century&queue=x"), choice("week"));
  for (const wrong of ["some", "1,2,3,4,5,6", "1,", "-1"]) assert.deepEqual(readChoice(`?sites=${wrong}`), choice("week"));
  assert.equal(withChoice("https://clinic.example/insights?period=today&sites=all", choice("week")), "https://clinic.example/insights");
});
