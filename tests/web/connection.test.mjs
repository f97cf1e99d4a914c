import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Connection } from "../../web/js/live/connection.js";
import { digest } from "../../web/js/live/view.js";

const HEARTBEAT_MS = 10_000;
const CELLS = { site: { name: "Riverside" } };

/** What a browser has: it records every one that was made. */
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

const last = () => FakeEventSource.made.at(-1);
const turn = () => new Promise((resolve) => setImmediate(resolve));
let connection;

beforeEach(() => {
  FakeEventSource.made = [];
  globalThis.EventSource = FakeEventSource;
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
  connection = new Connection("/live/displays/7?token=x");
  connection.open();
});

afterEach(() => {
  connection.close();
  mock.restoreAll();
  mock.timers.reset();
});

test("it is connecting until the first message, then live", () => {
  const seen = [];
  connection.addEventListener("view", () => seen.push("view"));
  connection.addEventListener("state", () => seen.push(connection.state));
  assert.equal(connection.state, "connecting");
  last().snapshot();
  assert.deepEqual(seen, ["view", "live"]);
  assert.equal(connection.view.cells.get("site").name, "Riverside");
});

test("the server's clock is what a heartbeat says", () => {
  last().snapshot();
  last().heartbeat(Date.now() + 90_000);
  assert.equal(connection.now(), Date.now() + 90_000);
  mock.timers.tick(1_000);
  assert.equal(connection.now(), Date.now() + 90_000);
});

test("a heartbeat is no new view", () => {
  last().snapshot();
  let views = 0;
  connection.addEventListener("view", () => (views += 1));
  last().heartbeat();
  assert.equal(views, 0);
});

test("lost, it comes back within the back-off and says where it is", () => {
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

test("lost again and again, it waits longer, spread over the whole time, half a minute at most", () => {
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

test("a bye is obeyed: not before its time, and then", () => {
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

test("silent for two and a half heartbeats it is stale, since when it last heard, and connects anew", () => {
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
  assert.equal(connection.state, "stale", "an attempt is not yet an answer");
  last().heartbeat();
  assert.equal(connection.state, "live");
});

test("attempts that fail do not put off the doubt", () => {
  last().snapshot();
  for (let passed = 0; passed < 2.5 * HEARTBEAT_MS; passed += 1_000) {
    if (!last().closed) last().break();
    mock.timers.tick(1_000);
  }
  assert.equal(connection.state, "stale");
});

test("another digest than ours is counted, told, and mended by a fresh snapshot", () => {
  let told = 0;
  connection.addEventListener("disagreement", () => (told += 1));
  last().snapshot();
  last().heartbeat();
  assert.equal(connection.disagreements, 0);
  last().heartbeat(Date.now(), 12345);
  assert.equal(connection.disagreements, 1);
  assert.equal(told, 1);
  assert.equal(connection.state, "connecting");
  mock.timers.tick(2_000);
  assert.equal(last().address, "/live/displays/7?token=x");
  last().snapshot();
  assert.equal(connection.state, "live");
});

for (const status of [401, 403, 404]) {
  test(`an answer of ${status} is a refusal, and is final`, async () => {
    globalThis.fetch = async () => ({ status });
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

test("any other answer, and none, is a loss", async () => {
  for (const fetching of [async () => ({ status: 503 }), async () => Promise.reject(new TypeError("network"))]) {
    globalThis.fetch = fetching;
    const made = FakeEventSource.made.length;
    last().readyState = FakeEventSource.CLOSED;
    last().break();
    await turn();
    mock.timers.tick(30_000);
    assert.equal(FakeEventSource.made.length, made + 1);
  }
});

test("closed, it does nothing more", () => {
  last().snapshot();
  connection.close();
  mock.timers.tick(600_000);
  assert.equal(FakeEventSource.made.length, 1);
  assert.ok(last().closed);
});

test("after the last word on something that has ended, it does not come back", () => {
  last().snapshot();
  last().send("bye", { retry_ms: 10, reason: "ended" }, null);
  mock.timers.tick(120_000);
  assert.equal(FakeEventSource.made.length, 1);
  assert.equal(connection.state, "live");
});

test("who may no longer follow comes back at once, to be refused", () => {
  last().snapshot();
  last().send("bye", { retry_ms: 60_000, reason: "revoked" }, null);
  mock.timers.tick(600);
  assert.equal(FakeEventSource.made.length, 2);
});

test("what is painted is said at once, then every two seconds at most, with the latest number", async () => {
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

test("a disagreement is reported", () => {
  const said = [];
  globalThis.fetch = (address, { body }) => {
    said.push([address, JSON.parse(body)]);
    return Promise.resolve();
  };
  last().snapshot();
  last().heartbeat(Date.now(), 12345);
  assert.deepEqual(said, [["/live/displays/7/disagreement?token=x", { seq: 1 }]]);
});
