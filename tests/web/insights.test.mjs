import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { cardsOf, isEmpty, notesOf } from "../../web/js/insights/cards.js";
import { fieldOf, levelOf, plotted, quotient, shareText, valueText } from "../../web/js/insights/values.js";
import { ANSWER, THIRD_NEXT, group } from "./insights-sample.mjs";
import { speak } from "./insights-english.mjs";

await speak();

const english = JSON.parse(readFileSync(new URL("../../web/locales/insights/en.json", import.meta.url), "utf8"));
const cards = (now = ANSWER, then = null, access = THIRD_NEXT) => new Map(cardsOf({ now, then, access }, (view) => `/${view}`).map((card) => [card.id, card]));
const tileOf = (card, name) => card.tiles.find((tile) => tile.name === name);

test("small groups are told as such, and never as numbers", () => {
  assert.equal(valueText(fieldOf({ hidden: "few", count: null }, "count"), "count"), "<5");
  assert.equal(valueText(fieldOf({ hidden: "beside", count: null }, "count"), "count"), "hidden");
  assert.equal(valueText(fieldOf({ hidden: null, count: 0 }, "count"), "count"), "0");
  assert.equal(plotted("few", "count"), null);
  assert.equal(quotient("few", 7), "few");
});

test("durations are in minutes, those below ten with their seconds, and none is a dash", () => {
  assert.equal(valueText(720, "minutes"), "12 min");
  assert.equal(valueText(50, "minutes"), "0:50 min");
  assert.equal(valueText(100, "minutes"), "1:40 min");
  assert.equal(valueText(590, "minutes"), "9:50 min");
  assert.equal(valueText(600, "minutes"), "10 min");
  assert.equal(valueText(0, "minutes"), "0 min");
  assert.equal(valueText(null, "minutes"), "–");
  assert.equal(valueText(1, "days"), "1 day");
});

test("a share shows its numerator and its denominator", () => {
  assert.equal(shareText(3, 18), "3 of 18 (17%)");
  assert.equal(shareText(0, 0), "0 of 0");
  assert.equal(shareText("few", "few"), "<5");
  assert.equal(shareText(null, 18), "–");
});

test("the shade of a cell grows with its number", () => {
  assert.deepEqual([0, 1, 25, 26, 100].map((value) => levelOf(value, 100)), [0, 1, 1, 2, 4]);
  assert.equal(levelOf(null, 100), 0);
  assert.equal(levelOf(5, 0), 0);
});

test("the median and the 90th percentile come first, with the patients still waiting beside those called", () => {
  const { tiles } = cards().get("waits");
  assert.deepEqual(tiles.slice(0, 4).map(({ name, value }) => [name, value]), [["Wait: median", "12 min"], ["Wait: 90th percentile", "25 min"], ["Called", "397"], ["Waiting now", "<5"]]);
});

test("missed appointments are out of those expected", () => {
  const card = cards().get("attendance");
  assert.equal(tileOf(card, "Missed").value, "3 of 18 (17%)");
  assert.equal(tileOf(card, "Cancelled late").value, "1 of 18 (6%)");
  assert.match(tileOf(card, "Missed").definition, /3 of 18/);
});

test("every figure, chart and column of figures has a definition", () => {
  const missing = [];
  for (const [id, card] of cards()) {
    for (const { name, definition } of [...card.tiles, ...(card.plots ?? []), ...(card.heat === undefined ? [] : [card.heat])]) if (!definition || definition.includes("insights.")) missing.push([id, name]);
    for (const { columns } of card.tables ?? []) for (const { name, definition } of columns.slice(1)) if (!definition && !/Score|Way|Provider/.test(name)) missing.push([id, name]);
  }
  assert.deepEqual(missing, []);
});

test("no text of the cards is missing from the locale", () => {
  assert.doesNotMatch(JSON.stringify([...cards().values()]), /"insights\./);
  for (const key of Object.keys(english).filter((each) => each.startsWith("insights.name."))) assert.ok(key.replace(".name.", ".define.") in english, key);
});

test("a chart is also a table with the same rows, and the promises have their number beside the share", () => {
  const { plots } = cards().get("promises");
  assert.equal(plots[0].chart.labels.length, plots[0].more[0].cells.length);
  assert.deepEqual(plots[0].chart.series.map(({ mark }) => mark), ["bar", "dotted"]);
});

test("the doubled hour is a column of its own with a mark, and a note says why", () => {
  const { heat } = cards().get("load");
  assert.deepEqual(heat.heat.columns.slice(-2), ["02", "02*"]);
  assert.deepEqual(heat.heat.rows.map(({ name }) => name).slice(0, 2), ["Mon (1)", "Tue (1)"]);
  assert.equal(notesOf(ANSWER).length, 1);
  assert.match(notesOf(ANSWER)[0], /24 Oct.*02 came twice/);
});

test("capacity is the open time divided by the time that a patient takes", () => {
  const [, capacity] = cards().get("arrivals").plots[0].chart.series;
  assert.equal(capacity.values[0], 18); // three points, ten minutes a patient
  const hidden = { ...ANSWER, total: { ...ANSWER.total, service: { hidden: "few" } } };
  assert.equal(cards(hidden).get("arrivals").plots[0].chart.series.length, 1);
});

test("the figures of the period before stand beside those of the period", () => {
  const then = { ...ANSWER, total: { ...group(300), wait: { hidden: null, count: 280, median_seconds: 900, p90_seconds: 1_800 } } };
  const { tiles } = cards(ANSWER, then).get("waits");
  assert.equal(tiles[0].before, "15 min");
  assert.equal(tileOf({ tiles }, "Waiting now").before, null);
});

test("nobody waits in a past period", () => {
  assert.equal(tileOf(cards({ ...ANSWER, business_day: "2026-10-26" }).get("waits"), "Waiting now"), undefined);
});

test("a filter leaves the figures of the whole site out, and says so", () => {
  const filtered = cards({ ...ANSWER, messages: null, feedback: null, points: [] });
  for (const id of ["messages", "feedback"]) assert.match(filtered.get(id).none, /whole site/);
});

test("a week with few answers shows no score", () => {
  const { tables, plots, tiles } = cards().get("feedback");
  assert.deepEqual(tables[0].rows[0].slice(1), ["<5", "–", "–", "–", "–", "–"]);
  assert.deepEqual(plots[0].chart.series[0].values, ["few", 80]);
  assert.equal(tiles[1].value, "32 of 40 (80%)");
});

test("the third next appointment has its day, or says that too few are free", () => {
  const { rows } = cards().get("access").tables[0];
  assert.deepEqual(rows.map((row) => row.at(-1)), ["3 days (Thu 29 Oct, 10:30)", "Not within 62 days (1 free)"]);
});

test("a period without anybody is empty", () => {
  assert.ok(!isEmpty(ANSWER));
  const none = { entries: { hidden: null, count: 0 }, appointments: { hidden: null, booked: 0 } };
  assert.ok(isEmpty({ ...ANSWER, total: { ...ANSWER.total, ...none } }));
  assert.ok(!isEmpty({ ...ANSWER, total: { ...ANSWER.total, ...none, entries: { hidden: "few", count: null } } }));
});
