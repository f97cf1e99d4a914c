import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { CommandFailed, sendCommand } from "../../web/js/shared/commands.js";

// Of a browser's navigator only the locks matter here, and they exist only where the page came by HTTPS.
Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });

let asked;
let answers;

beforeEach(() => {
  asked = [];
  globalThis.fetch = async (address, options) => {
    asked.push({ address, key: options.headers["Idempotency-Key"], body: options.body });
    const answer = answers.shift();
    if (answer === undefined) throw new TypeError("network");
    return Response.json(answer[1], { status: answer[0] });
  };
});

const refusal = (code) => ({ error: { code, message: "Said by the server.", details: { state: "serving" } } });

test("a command has a key of its own and returns its answer", async () => {
  answers = [[200, { seq: 4, events: [] }], [200, { seq: 5, events: [] }]];
  assert.deepEqual(await sendCommand("call-next", { point_id: 3 }), { seq: 4, events: [] });
  await sendCommand("call-next", { point_id: 3 });
  assert.equal(asked[0].address, "/api/v1/commands/call-next");
  assert.equal(asked[0].body, '{"point_id":3}');
  assert.match(asked[0].key, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.notEqual(asked[0].key, asked[1].key);
});

test("a lost answer is asked for once more, by the same key", async () => {
  answers = [undefined, [200, { seq: 4, events: [] }]];
  await sendCommand("start", { entry_id: 1 });
  assert.equal(asked.length, 2);
  assert.equal(asked[0].key, asked[1].key);
});

test("lost twice, it is unreachable", async () => {
  answers = [];
  await assert.rejects(sendCommand("start", { entry_id: 1 }), { code: "unreachable" });
  assert.equal(asked.length, 2);
});

test("a session that ran out is refreshed, and the command repeated by the same key", async () => {
  answers = [[401, refusal("not_signed_in")], [200, {}], [200, { seq: 4, events: [] }]];
  await sendCommand("start", { entry_id: 1 });
  assert.deepEqual(asked.map(({ address }) => address), [
    "/api/v1/commands/start", "/api/v1/session/refresh", "/api/v1/commands/start",
  ]);
  assert.equal(asked[0].key, asked[2].key);
});

test("a refusal is thrown as the server said it, and not repeated", async () => {
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

test("an answer that is not ours, such as a proxy's page, is an error like any other", async () => {
  globalThis.fetch = async () => new Response("<html>", { status: 502 });
  await assert.rejects(sendCommand("start", { entry_id: 1 }), { code: "internal_error" });
});
