import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Connection } from "../../web/js/live/connection.js";
import { digest } from "../../web/js/live/view.js";

const HEARTBEAT_MS = 10_000;
const CELLS = { site: { name: "Riverside" } };

/** An EventSource that records every instance. */
class FakeEventSource extends EventTarget {
  static CLOSED = 2;
  static made = [];
  readyState = 1;
  onerror = () => {};
  constructor(address) {
    super();
    this.address = address;
    FakeEventSource.made.push(this);
  }
  close() {
    this.readyState = 2;
    this.closed = true;
  }
  send(type, message, id = "epoch.desk1.1") {
    this.dispatchEvent(Object.assign(new Event(type), { data: JSON.stringify(message), lastEventId: id }));
  }
  snapshot(cells = CELLS) {
    this.send("snapshot", { seq: 1, heartbeat_ms: HEARTBEAT_MS, cells });
  }
  heartbeat(at = Date.now(), sum = digest(Object.entries(CELLS))) {
    this.send("heartbeat", { seq: 1, at, digest: sum });
  }
  break() {
    this.onerror();
  }
}

/** What the server itself answers: see `server/transport/http`. */
const answer = (status, code) =>
  new Response(null, { status, headers: { "X-API-Version": "1", ...(code && { "X-NowServing-Refusal": code }) } });
const last = () => FakeEventSource.made.at(-1);
const turn = () => new Promise((resolve) => setImmediate(resolve));
let connection;

beforeEach(() => {
  FakeEventSource.made = [];
  globalThis.EventSource = FakeEventSource;
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
  // A proxy has blocked WebSocket: these tests are about events.
  globalThis.localStorage = { getItem: () => String(Date.now()), setItem() {} };
  connection = new Connection("/live/displays/7?token=x");
  connection.open();
});

afterEach(() => {
  connection.close();
  mock.restoreAll();
  mock.timers.reset();
});

test("the connection is connecting until the first message, then live", () => {
  const seen = [];
  connection.addEventListener("view", () => seen.push("view"));
  connection.addEventListener("state", () => seen.push(connection.state));
  assert.equal(connection.state, "connecting");
  last().snapshot();
  assert.deepEqual(seen, ["view", "live"]);
  assert.equal(connection.view.cells.get("site").name, "Riverside");
});

test("a heartbeat sets the server's clock", () => {
  last().snapshot();
  last().heartbeat(Date.now() + 90_000);
  assert.equal(connection.now(), Date.now() + 90_000);
  mock.timers.tick(1_000);
  assert.equal(connection.now(), Date.now() + 90_000);
});

test("a heartbeat dispatches no view event", () => {
  last().snapshot();
  let views = 0;
  connection.addEventListener("view", () => (views += 1));
  last().heartbeat();
  assert.equal(views, 0);
});

test("a lost connection reconnects within the back-off and sends its last id", () => {
  last().snapshot();
  last().break();
  assert.equal(connection.state, "connecting");
  assert.equal(FakeEventSource.made.length, 1);
  mock.timers.tick(2_000);
  assert.equal(FakeEventSource.made.length, 2);
  assert.equal(last().address, "/live/displays/7?token=x&last_event_id=epoch.desk1.1");
  last().heartbeat();
  assert.equal(connection.state, "live");
});

test("repeated losses double the delay, with jitter, up to half a minute", () => {
  mock.method(Math, "random", () => 0.999);
  const delays = [];
  mock.method(globalThis, "setTimeout", ((original) => (call, ms) => {
    if (ms !== 2.5 * 15_000) delays.push(Math.round(ms));
    return original(call, ms);
  })(globalThis.setTimeout));
  for (let round = 0; round < 8; round += 1) {
    last().break();
    mock.timers.tick(30_000);
  }
  assert.deepEqual(delays.slice(0, 4), [1_998, 3_996, 7_992, 15_984]);
  assert.equal(delays.at(-1), 29_970);
});

test("a bye sets the time of the reconnection", () => {
  last().snapshot();
  last().send("bye", { retry_ms: 4_000, reason: "drain" });
  assert.ok(last().closed);
  assert.equal(connection.state, "connecting");
  mock.timers.tick(3_999);
  assert.equal(FakeEventSource.made.length, 1);
  mock.timers.tick(1);
  assert.equal(FakeEventSource.made.length, 2);
  assert.match(last().address, /last_event_id=epoch\.desk1\.1$/);
});

test("after two and a half heartbeats of silence the connection is stale and reconnects", () => {
  last().snapshot();
  last().heartbeat();
  const heardAt = Date.now();
  mock.timers.tick(2.5 * HEARTBEAT_MS - 1);
  assert.equal(connection.state, "live");
  mock.timers.tick(1);
  assert.equal(connection.state, "stale");
  assert.equal(connection.heardAt, heardAt);
  assert.ok(FakeEventSource.made[0].closed);
  mock.timers.tick(2_000);
  assert.equal(FakeEventSource.made.length, 2);
  assert.equal(connection.state, "stale", "an attempt without an answer leaves it stale");
  last().heartbeat();
  assert.equal(connection.state, "live");
});

test("failed attempts do not put off the stale state", () => {
  last().snapshot();
  for (let passed = 0; passed < 2.5 * HEARTBEAT_MS; passed += 1_000) {
    if (!last().closed) last().break();
    mock.timers.tick(1_000);
  }
  assert.equal(connection.state, "stale");
});

test("a different digest is counted, reported, and repaired by a fresh snapshot", () => {
  let reported = 0;
  connection.addEventListener("disagreement", () => (reported += 1));
  last().snapshot();
  last().heartbeat();
  assert.equal(connection.disagreements, 0);
  last().heartbeat(Date.now(), 12345);
  assert.equal(connection.disagreements, 1);
  assert.equal(reported, 1);
  assert.equal(connection.state, "connecting");
  mock.timers.tick(2_000);
  assert.equal(last().address, "/live/displays/7?token=x");
  last().snapshot();
  assert.equal(connection.state, "live");
});

for (const status of [401, 403, 404]) {
  test(`an answer of ${status} is a final refusal`, async () => {
    globalThis.fetch = async () => answer(status, "refused_by_the_server");
    last().readyState = FakeEventSource.CLOSED;
    last().break();
    await turn();
    assert.equal(connection.state, "refused");
    assert.equal(connection.refusal, status);
    mock.timers.tick(600_000);
    assert.equal(FakeEventSource.made.length, 1);
    connection.open();
    last().snapshot();
    assert.equal(connection.state, "live");
    assert.equal(connection.refusal, null);
  });
}

test("any other answer, a proxy's 404 for example, or none, is a loss", async () => {
  const unmarked = [200, 401, 403, 404, 429, 502, 503].map((status) => async () => new Response("<html>", { status }));
  for (const fetching of [...unmarked, async () => answer(503, "unavailable"), async () => Promise.reject(new TypeError("network"))]) {
    globalThis.fetch = fetching;
    const made = FakeEventSource.made.length;
    last().readyState = FakeEventSource.CLOSED;
    last().break();
    await turn();
    assert.notEqual(connection.state, "refused");
    mock.timers.tick(30_000);
    assert.equal(FakeEventSource.made.length, made + 1);
  }
});

for (const [slept, state, reopened] of [[0, "live", false], [1.4, "live", false], [1.6, "live", true], [2.5, "stale", true], [60, "stale", true]]) {
  test(`a page that wakes after ${slept} heartbeats, whose timers stood still, is ${state}${reopened ? ", and reconnects" : ""}`, () => {
    last().snapshot();
    mock.timers.setTime(Date.now() + slept * HEARTBEAT_MS); // the clock goes on, no timer fires
    const [first] = FakeEventSource.made;
    connection.wake();
    assert.equal(connection.state, state);
    assert.equal(Boolean(first.closed), reopened);
    if (!reopened) return;
    assert.equal(last().address, "/live/displays/7?token=x&last_event_id=epoch.desk1.1");
    connection.wake();
    assert.equal(FakeEventSource.made.length, 2, "each event of the same wake opened one more");
    last().heartbeat();
    assert.equal(connection.state, "live");
  });
}

test("a page that wakes does not wait for the rest of a delay", () => {
  last().snapshot();
  last().send("bye", { retry_ms: 60_000, reason: "drain" }, null);
  mock.timers.tick(2_000);
  connection.wake();
  assert.equal(FakeEventSource.made.length, 2);
});

test("waking leaves a refused, an ended and a closed connection alone", async () => {
  globalThis.fetch = async () => answer(403, "not_allowed");
  last().readyState = FakeEventSource.CLOSED;
  last().break();
  await turn();
  mock.timers.setTime(Date.now() + 600_000);
  connection.wake();
  assert.equal(connection.state, "refused");
  connection.open();
  last().snapshot();
  last().send("bye", { retry_ms: 10, reason: "ended" }, null);
  mock.timers.setTime(Date.now() + 600_000);
  connection.wake();
  assert.equal(connection.state, "live");
  assert.equal(FakeEventSource.made.length, 2);
});

test("an answer that comes after the connection was opened again is ignored", async () => {
  let late;
  globalThis.fetch = () => new Promise((resolve) => (late = resolve));
  last().readyState = FakeEventSource.CLOSED;
  last().break();
  connection.open();
  last().snapshot();
  late(answer(404, "ticket_not_found"));
  await turn();
  assert.equal(connection.state, "live");
  assert.equal(FakeEventSource.made.length, 2);
});

test("a closed connection does not reconnect", () => {
  last().snapshot();
  connection.close();
  mock.timers.tick(600_000);
  assert.equal(FakeEventSource.made.length, 1);
  assert.ok(last().closed);
});

test("a bye of an ended ticket closes the connection", () => {
  last().snapshot();
  last().send("bye", { retry_ms: 10, reason: "ended" }, null);
  mock.timers.tick(120_000);
  assert.equal(FakeEventSource.made.length, 1);
  assert.equal(connection.state, "live");
});

test("a bye of a revoked token reconnects at once", () => {
  last().snapshot();
  last().send("bye", { retry_ms: 60_000, reason: "revoked" }, null);
  mock.timers.tick(600);
  assert.equal(FakeEventSource.made.length, 2);
});

test("a painted view is reported at once, then at most every two seconds with the latest number", async () => {
  const said = [];
  globalThis.fetch = (address, { body }) => {
    said.push([address, JSON.parse(body)]);
    return Promise.resolve();
  };
  last().snapshot();
  mock.timers.tick(5_000);
  connection.reportPainted({ muted: true, version: "1" });
  mock.timers.tick(0);
  assert.deepEqual(said, [["/live/displays/7/ack?token=x", { seq: 1, muted: true, version: "1" }]]);
  last().send("change", { seq: 2, set: {}, del: [] });
  connection.reportPainted({ muted: true, version: "1" });
  last().send("change", { seq: 3, set: {}, del: [] });
  connection.reportPainted({ muted: false, version: "1" });
  mock.timers.tick(1_900);
  assert.equal(said.length, 1);
  mock.timers.tick(200);
  assert.deepEqual(said[1], ["/live/displays/7/ack?token=x", { seq: 3, muted: false, version: "1" }]);
});

test("a disagreement is sent to the server", () => {
  const said = [];
  globalThis.fetch = (address, { body }) => {
    said.push([address, JSON.parse(body)]);
    return Promise.resolve();
  };
  last().snapshot();
  last().heartbeat(Date.now(), 12345);
  assert.deepEqual(said, [["/live/displays/7/disagreement?token=x", { seq: 1 }]]);
});
