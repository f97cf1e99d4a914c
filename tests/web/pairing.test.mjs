import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { pairDevice } from "../../web/js/shared/pairing.js";

const turns = async () => {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};
const proxy = (status) => new Response("<html>", { status });
const json = (body, status = 200, headers = {}) => Response.json(body, { status, headers: { "X-API-Version": "1", ...headers } });
let answers;
let shown;
let stop;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  shown = [];
  stop = new AbortController();
  globalThis.fetch = async (_, { method = "GET" }) => answers[method]();
});

afterEach(() => {
  stop.abort();
  mock.timers.reset();
});

/** Pair a screen, three seconds at a time, and return what it shows at the end. */
async function pair(seconds) {
  const screen = { code: (code) => shown.push(code), unreachable: () => shown.push("unreachable") };
  let device;
  pairDevice(screen, stop.signal).then((found) => (device = found), () => {});
  await turns();
  for (let passed = 0; passed < seconds; passed += 1) {
    mock.timers.tick(1_000);
    await turns();
  }
  return device;
}

test("a code stays while a proxy answers, and ends with a refusal of the server", async () => {
  const begun = () => json({ code: "ABC123", secret: "s", expires_at: 600_000 }, 201);
  const asked = [proxy(404), proxy(403), proxy(200), proxy(502), json({ state: "paired", device_id: 7 })];
  answers = { POST: begun, GET: () => asked.shift() };
  assert.equal((await pair(15)).device_id, 7);
  assert.deepEqual(shown, ["ABC123", ...Array(4).fill("unreachable")]);
  const refused = [json({}, 404, { "X-NowServing-Refusal": "pairing_not_found" })];
  answers = { POST: begun, GET: () => refused.shift() ?? json({ state: "waiting" }) };
  shown = [];
  await pair(3);
  assert.deepEqual(shown, ["ABC123", "ABC123"]);
});

test("a proxy's answer is no code", async () => {
  const begun = [proxy(200), proxy(201), json({ code: "ABC123", secret: "s", expires_at: 600_000 }, 201)];
  answers = { POST: () => begun.shift(), GET: () => json({ state: "waiting" }) };
  await pair(20);
  assert.deepEqual(shown.slice(0, 3), ["unreachable", "unreachable", "ABC123"]);
});
