import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { ASKED_MS, Tickets, VALID_MS } from "../../web/js/kiosk/tickets.js";

const kept = new Map();
globalThis.sessionStorage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) };

const OURS = { "X-API-Version": "1" };
const issued = () => new Response(JSON.stringify({ entry: { id: 5, label: "A001" }, token: "7-x", address: "a", quote: { ahead: 2 } }), { headers: OURS });
const refused = (code) => new Response("{}", { status: 409, headers: { ...OURS, "X-NowServing-Refusal": code } });
const away = () => Promise.reject(new TypeError("no network"));
const proxy = () => new Response("", { status: 502 });

/** Answers of the server, in order; the last one repeats. */
let answers = [];
let asked = [];
globalThis.fetch = async (address, options) => {
  asked.push({ address, key: options.headers["Idempotency-Key"], body: options.body });
  return (answers.length > 1 ? answers.shift() : answers[0])();
};

const tickets = new Tickets(() => "d7-token");
const touch = () => ({ id: "touch", body: { queue_id: 1, language: "en", valid_until: Date.now() + VALID_MS }, at: Date.now() });

beforeEach(() => {
  kept.clear();
  asked = [];
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
});

/** Let the time pass until a promise is settled. */
async function within(promise, milliseconds) {
  let result;
  void promise.then((value) => (result = { value }));
  for (let passed = 0; result === undefined && passed < milliseconds; passed += 100) {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    mock.timers.tick(100);
  }
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  return result?.value;
}

test("a touch gives a ticket, and the tab forgets it", async () => {
  answers = [issued];
  const outcome = await within(tickets.take(touch(), assert.fail), VALID_MS);
  assert.equal(outcome.issued.label, "A001");
  assert.equal(outcome.issued.ahead, 2);
  assert.equal(kept.size, 0);
});

test("lost answers are asked for again with the same id and the same body", async () => {
  answers = [away, proxy, away, issued];
  const outcome = await within(tickets.take(touch(), () => {}), ASKED_MS);
  assert.equal(outcome.issued.label, "A001");
  assert.equal(asked.length, 4);
  assert.equal(new Set(asked.map(({ key, body }) => `${key} ${body}`)).size, 1);
});

test("without the network the kiosk gives its promise up after three seconds", async () => {
  answers = [away];
  let late = 0;
  const begun = Date.now();
  const outcome = await within(tickets.take(touch(), () => (late = Date.now() - begun)), 2 * ASKED_MS);
  assert.equal(late, VALID_MS);
  assert.deepEqual(outcome, { unknown: true });
});

test("a refusal of the server ends the asking", async () => {
  answers = [away, () => refused("request_expired")];
  const outcome = await within(tickets.take(touch(), () => {}), ASKED_MS);
  assert.deepEqual(outcome, { refused: "request_expired", details: {} });
  assert.equal(asked.length, 2);
});

test("a ticket that nobody has seen is cancelled when the server answers again", async () => {
  answers = [away];
  await within(tickets.take(touch(), () => {}), 2 * ASKED_MS);
  assert.equal(kept.size, 1);
  answers = [issued];
  asked = [];
  await within(tickets.cancelUnseen(), 1_000);
  assert.deepEqual(asked.map(({ address }) => address), ["/api/v1/commands/issue-ticket", "/api/v1/commands/leave"]);
  assert.equal(kept.size, 0);
});

test("a reload in the middle of a touch goes on with it, but not after the person has gone", async () => {
  answers = [() => new Promise(() => {})];
  void tickets.take(touch(), () => {});
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  assert.equal(tickets.interrupted()?.id, "touch");
  assert.ok(![...kept.values()].some((value) => value.includes("token")), "no token is kept");
  mock.timers.tick(ASKED_MS);
  assert.equal(tickets.interrupted(), null);
});
