import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Connection } from "../../web/js/live/connection.js";

class FakeWebSocket {
  static made = [];
  constructor(url) {
    this.url = String(url);
    FakeWebSocket.made.push(this);
  }
  /** A browser reports every close later, also the page's own. */
  close() {
    queueMicrotask(() => this.onclose?.({ code: 1006, reason: "" }));
  }
  send(frame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }
  fail() {
    this.onclose({ code: 1006, reason: "" });
  }
}

class FakeEventSource extends EventTarget {
  static CLOSED = 2;
  static made = [];
  readyState = 1;
  constructor() {
    super();
    FakeEventSource.made.push(this);
  }
  close() {}
  send(type, message) {
    this.dispatchEvent(Object.assign(new Event(type), { data: JSON.stringify(message), lastEventId: "e.desk1.4" }));
  }
}

const SNAPSHOT = { seq: 4, heartbeat_ms: 1_000, cells: { a: { n: 1 } } };
const last = () => FakeWebSocket.made.at(-1);
const turn = () => new Promise((resolve) => setImmediate(resolve));
const serves = async () => new Response(null, { headers: { "X-API-Version": "1" } });
const away = async () => Promise.reject(new TypeError("network"));
const made = () => [FakeWebSocket.made.length, FakeEventSource.made.length];
let connection;
let memory;

beforeEach(() => {
  FakeWebSocket.made = [];
  FakeEventSource.made = [];
  memory = new Map();
  Object.assign(globalThis, {
    WebSocket: FakeWebSocket,
    EventSource: FakeEventSource,
    location: new URL("https://clinic.example/reception"),
    localStorage: { getItem: (name) => memory.get(name) ?? null, setItem: (name, value) => memory.set(name, value) },
    fetch: away,
  });
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
  connection = new Connection("/live/sites/1/desk");
  connection.open();
});

afterEach(() => {
  connection.close();
  mock.timers.reset();
});

/** Block WebSocket as a proxy does, while the server answers plain requests. */
async function block() {
  globalThis.fetch = serves;
  last().fail();
  await turn();
}

test("WebSocket comes first, and its frames carry the messages", () => {
  assert.deepEqual(made(), [1, 0]);
  assert.equal(last().url, "wss://clinic.example/live/sites/1/desk");
  last().send({ type: "snapshot", id: "e.desk1.4", ...SNAPSHOT });
  last().send({ type: "change", id: "e.desk1.5", seq: 5, set: { b: { n: 2 } }, del: ["a"] });
  assert.deepEqual([...connection.view.cells.keys()], ["b"]);
  last().send({ type: "bye", retry_ms: 100, reason: "age" });
  mock.timers.tick(100);
  assert.equal(last().url, "wss://clinic.example/live/sites/1/desk?last_event_id=e.desk1.5");
});

test("the browser's report of the page's own close changes nothing", async () => {
  last().onopen();
  last().send({ type: "snapshot", id: "e.desk1.4", ...SNAPSHOT });
  last().send({ type: "bye", retry_ms: 60_000, reason: "drain" });
  await turn();
  mock.timers.tick(59_000);
  assert.equal(FakeWebSocket.made.length, 1, "it reconnected before the time that the server gave");
});

test("only the close code of a refusal is final", async () => {
  for (const [code, reason, status] of [
    [3500, "not_signed_in", 401],
    [3500, "not_allowed", 403],
    [3500, "ticket_not_found", 404],
  ]) {
    connection.open();
    last().onopen();
    last().onclose({ code, reason });
    assert.equal(connection.refusal, status);
  }
  for (const code of [1000, 1001, 1006, 3000, 3001, 3501, 3502, 3503, 4404]) {
    connection.open();
    last().onopen();
    last().onclose({ code, reason: "ticket_not_found" });
    assert.equal(connection.refusal, null, String(code));
    assert.equal(connection.state, "connecting");
  }
});

test("a handshake that fails while the server answers means blocked: events take over at once, and WebSocket waits", async () => {
  await block();
  assert.deepEqual(made(), [1, 1]);
  FakeEventSource.made[0].send("snapshot", SNAPSHOT);
  assert.equal(connection.state, "live");
  connection.open();
  new Connection("/live/points/3").open();
  assert.deepEqual(made(), [1, 3], "neither this page nor the next one of this browser tries WebSocket");
  mock.timers.setTime(Date.now() + 31 * 60_000);
  connection.open();
  assert.deepEqual(made(), [2, 3]);
});

test("a handshake that fails while the server is away blocks nothing", async () => {
  for (const fetching of [away, async () => new Response("<html>", { status: 404 }), async () => new Response("<html>")]) {
    globalThis.fetch = fetching;
    last().fail();
    await turn();
    mock.timers.tick(30_000);
    await turn();
  }
  assert.equal(FakeEventSource.made.length, 0);
  assert.equal(FakeWebSocket.made.length, 4);
});

test("events that fail too, or only say bye, do not keep the page from WebSocket", async () => {
  await block();
  FakeEventSource.made[0].send("bye", { retry_ms: 100, reason: "over-cap" });
  mock.timers.tick(100);
  assert.deepEqual(made(), [2, 1]);
  await block();
  FakeEventSource.made[1].onerror();
  mock.timers.tick(30_000);
  assert.deepEqual(made(), [3, 2]);
  assert.equal(memory.size, 0);
});

test("a proxy that swallows the handshake is given up after five seconds", async () => {
  globalThis.fetch = serves;
  mock.timers.tick(5_000);
  await turn();
  assert.deepEqual(made(), [1, 1]);
});

test("a proxy that lets the handshake through, but no frames, is given up with the first silence", () => {
  last().onopen();
  mock.timers.tick(2.5 * 15_000);
  assert.deepEqual(made(), [1, 1]);
});

test("a refusal of the handshake by the server itself is final", async () => {
  globalThis.fetch = async () => new Response(null, { status: 404, headers: { "X-NowServing-Refusal": "ticket_not_found" } });
  last().fail();
  await turn();
  assert.equal(connection.refusal, 404);
});
