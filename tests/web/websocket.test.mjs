import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Connection } from "../../web/js/live/connection.js";

class FakeWebSocket {
  static made = [];
  constructor(url) {
    this.url = String(url);
    FakeWebSocket.made.push(this);
  }
  close() {}
  send(frame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }
}

class NoEventSource extends EventTarget {
  static made = 0;
  constructor() {
    super();
    NoEventSource.made += 1;
  }
  close() {}
}

const last = () => FakeWebSocket.made.at(-1);
let connection;

beforeEach(() => {
  FakeWebSocket.made = [];
  NoEventSource.made = 0;
  Object.assign(globalThis, {
    WebSocket: FakeWebSocket,
    EventSource: NoEventSource,
    location: new URL("https://clinic.example/reception"),
  });
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  connection = new Connection("/live/sites/1/desk", { transport: "websocket" });
  connection.open();
});

afterEach(() => {
  connection.close();
  mock.timers.reset();
});

test("frames carry the same messages as events", () => {
  assert.equal(last().url, "wss://clinic.example/live/sites/1/desk");
  last().send({ type: "snapshot", id: "e.desk1.4", seq: 4, heartbeat_ms: 1_000, cells: { a: { n: 1 } } });
  last().send({ type: "change", id: "e.desk1.5", seq: 5, set: { b: { n: 2 } }, del: ["a"] });
  assert.deepEqual([...connection.view.cells.keys()], ["b"]);
  last().send({ type: "bye", retry_ms: 100, reason: "age" });
  mock.timers.tick(100);
  assert.equal(last().url, "wss://clinic.example/live/sites/1/desk?last_event_id=e.desk1.5");
});

test("a close code decides whether the connection is refused", () => {
  for (const [code, reason, status] of [
    [3500, "not_signed_in", 401],
    [3500, "not_allowed", 403],
    [3500, "ticket_not_found", 404],
  ]) {
    connection.open();
    last().onclose({ code, reason });
    assert.equal(connection.refusal, status);
  }
});

test("without WebSocket through a proxy, events take over", () => {
  last().onclose({ code: 1006, reason: "" });
  mock.timers.tick(2_000);
  assert.equal(NoEventSource.made, 1);
});
