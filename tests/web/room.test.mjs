import assert from "node:assert/strict";
import { test } from "node:test";
import { othersOf, primaryOf, roomOf } from "../../web/js/room/room.js";

const room = (state, guest = null, waiting = 1) =>
  roomOf(new Map(Object.entries({ point: { name: "Room 1", state, queues: [] }, next: { waiting, first: [] }, ...(guest ? { guest: { state: guest } } : {}) })));

test("the state decides the usual next step", () => {
  assert.equal(primaryOf(roomOf(new Map())), null, "there is no snapshot yet");
  assert.equal(primaryOf(room("open")), "call-next");
  assert.equal(primaryOf(room("open", null, 0)), null);
  assert.equal(primaryOf(room("on_break")), "open-point");
  assert.equal(primaryOf(room("closed", null, 0)), "open-point");
  assert.equal(primaryOf(room("open", "called")), "start");
  assert.equal(primaryOf(room("on_break", "serving")), "complete", "a patient in service is finished before the break");
});

test("the state decides the other actions", () => {
  assert.deepEqual(othersOf(room("open", "called")), ["recall", "no-show", "transfer", "return"]);
  assert.deepEqual(othersOf(room("open", "serving")), ["transfer"]);
  assert.deepEqual(othersOf(room("open")), ["break-point"]);
  assert.deepEqual(othersOf(room("closed")), []);
});
