import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { IDLE_MS, IdleWatch, WARNING_S } from "../../web/js/kiosk/idle-watch.js";

let said;
let ended;
let watch;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
  [said, ended] = [[], 0];
  watch = new IdleWatch((seconds) => said.push(seconds), () => (ended += 1));
});

test("after a minute it warns for half a minute, and then ends", () => {
  watch.start();
  mock.timers.tick(IDLE_MS - 1);
  assert.deepEqual(said, [null]);
  mock.timers.tick(1);
  assert.equal(said.at(-1), WARNING_S);
  mock.timers.tick((WARNING_S - 1) * 1000);
  assert.equal(said.at(-1), 1);
  assert.equal(ended, 0);
  mock.timers.tick(1000);
  assert.equal(ended, 1);
  assert.equal(said.at(-1), null);
});

test("a sign of a person begins the minute again, and takes the warning away", () => {
  watch.start();
  mock.timers.tick(IDLE_MS + 5_000);
  watch.sign();
  assert.equal(said.at(-1), null);
  mock.timers.tick(IDLE_MS - 1);
  assert.equal(said.at(-1), null);
  assert.equal(ended, 0);
});

test("while nobody is expected, nothing happens", () => {
  watch.sign();
  mock.timers.tick(10 * IDLE_MS);
  watch.start();
  watch.stop();
  mock.timers.tick(10 * IDLE_MS);
  assert.equal(ended, 0);
});
