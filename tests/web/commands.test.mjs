import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { CommandFailed, sendCommand } from "../../web/js/shared/commands.js";

// `commands.js` uses only the locks of the browser's navigator, and a page without HTTPS has none.
Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });

let asked;
let answers;

beforeEach(() => {
  asked = [];
  globalThis.fetch = async (address, options) => {
    asked.push({ address, key: options.headers["Idempotency-Key"], body: options.body });
    const answer = answers.shift();
    if (answer === undefined) throw new TypeError("network");
    return Response.json(answer[1], { status: answer[0], headers: marked(answer[1].error?.code) });
  };
});

/** The headers of the server's own answers: see `server/transport/http`. */
const marked = (code) => ({ "X-API-Version": "1", ...(code && { "X-NowServing-Refusal": code }) });
const refusal = (code) => ({ error: { code, message: "Said by the server.", details: { state: "serving" } } });

test("each command has its own key and returns the answer", async () => {
  answers = [[200, { seq: 4, events: [] }], [200, { seq: 5, events: [] }]];
  assert.deepEqual(await sendCommand("call-next", { point_id: 3 }), { seq: 4, events: [] });
  await sendCommand("call-next", { point_id: 3 });
  assert.equal(asked[0].address, "/api/v1/commands/call-next");
  assert.equal(asked[0].body, '{"point_id":3}');
  assert.match(asked[0].key, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.notEqual(asked[0].key, asked[1].key);
});

test("a command without an answer is sent again with the same key", async () => {
  answers = [undefined, [200, { seq: 4, events: [] }]];
  await sendCommand("start", { entry_id: 1 });
  assert.equal(asked.length, 2);
  assert.equal(asked[0].key, asked[1].key);
});

test("two lost answers mean that the server is unreachable", async () => {
  answers = [];
  await assert.rejects(sendCommand("start", { entry_id: 1 }), { code: "unreachable" });
  assert.equal(asked.length, 2);
});

test("an expired session is refreshed, and the command sent again with the same key", async () => {
  answers = [[401, refusal("not_signed_in")], [200, {}], [200, { seq: 4, events: [] }]];
  await sendCommand("start", { entry_id: 1 });
  assert.deepEqual(asked.map(({ address }) => address), [
    "/api/v1/commands/start", "/api/v1/session/refresh", "/api/v1/commands/start",
  ]);
  assert.equal(asked[0].key, asked[2].key);
});

test("a refusal is thrown with the server's code and message, and the command is not sent again", async () => {
  answers = [[409, refusal("entry_not_called")]];
  await assert.rejects(sendCommand("start", { entry_id: 1 }), (error) => {
    assert.ok(error instanceof CommandFailed);
    assert.equal(error.code, "entry_not_called");
    assert.equal(error.message, "Said by the server.");
    assert.deepEqual(error.details, { state: "serving" });
    return true;
  });
  assert.equal(asked.length, 1);
});

for (const status of [200, 302, 401, 403, 404, 409, 429, 500, 502, 503, 504]) {
  test(`an answer of ${status} by a proxy is no answer: the command is sent again with the same key`, async () => {
    const proxy = () => (status === 409 ? Response.json(refusal("entry_not_called"), { status }) : new Response("<html>", { status }));
    const keys = [];
    globalThis.fetch = async (_, { headers }) => {
      keys.push(headers["Idempotency-Key"]);
      return keys.length === 1 ? proxy() : Response.json({ seq: 4, events: [] }, { headers: marked() });
    };
    assert.equal((await sendCommand("start", { entry_id: 1 })).seq, 4);
    assert.equal(new Set(keys).size, 1);
    globalThis.fetch = async () => proxy();
    await assert.rejects(sendCommand("start", { entry_id: 1 }), { code: "unreachable" });
  });
}

test("a command that a busy server refuses is sent once more with the same key, at the time that the server names", async () => {
  const paused = [];
  const { setTimeout } = globalThis;
  globalThis.setTimeout = (call, milliseconds) => {
    if (milliseconds >= 30_000) return setTimeout(call, milliseconds); // the limit of a request
    paused.push(milliseconds);
    return setTimeout(call, 0);
  };
  try {
    const keys = [];
    const busy = () => Response.json(refusal("busy"), { status: 503, headers: { ...marked("busy"), "Retry-After": "4" } });
    globalThis.fetch = async (_, { headers }) => {
      keys.push(headers["Idempotency-Key"]);
      return keys.length === 1 ? busy() : Response.json({ seq: 4, events: [] }, { headers: marked() });
    };
    assert.equal((await sendCommand("start", { entry_id: 1 })).seq, 4);
    assert.deepEqual([keys.length, new Set(keys).size, paused], [2, 1, [4_000]]);
    globalThis.fetch = async () => busy();
    await assert.rejects(sendCommand("start", { entry_id: 1 }), { code: "busy" });
  } finally {
    globalThis.setTimeout = setTimeout;
  }
});

test("a refusal that nginx marks is thrown with its code", async () => {
  const headers = { "X-NowServing-Refusal": "too_many_requests" };
  globalThis.fetch = async () => Response.json(refusal("too_many_requests"), { status: 429, headers });
  await assert.rejects(sendCommand("start", { entry_id: 1 }), { code: "too_many_requests" });
});
