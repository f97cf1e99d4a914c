import assert from "node:assert/strict";
import { test } from "node:test";
import { DRIFT_PX, LONG_MS, Touches } from "../../web/js/kiosk/touch.js";

const down = (touches, { pointer = 1, x = 100, y = 100, at = 0, target = "button" } = {}) => touches.down({ pointer, x, y, at, target });
const up = (touches, { pointer = 1, x = 100, y = 100, at = 100 } = {}) => touches.up({ pointer, x, y, at });

test("a touch counts for the button where it came down", () => {
  const touches = new Touches();
  down(touches);
  assert.equal(up(touches), "button");
  assert.equal(up(touches), null, "once");
});

test("a finger may drift by 32 pixels, in any direction", () => {
  for (const [dx, dy] of [[DRIFT_PX, 0], [0, -DRIFT_PX], [-22, 22]]) {
    const touches = new Touches();
    down(touches);
    touches.move({ pointer: 1, x: 100 + dx, y: 100 + dy });
    assert.equal(up(touches, { x: 100 + dx, y: 100 + dy }), "button", `${dx}, ${dy}`);
  }
});

test("a swipe does nothing, even if it comes back", () => {
  const touches = new Touches();
  down(touches);
  touches.move({ pointer: 1, x: 100 + DRIFT_PX + 1, y: 100 });
  touches.move({ pointer: 1, x: 100, y: 100 });
  assert.equal(up(touches), null);
  down(touches);
  assert.equal(up(touches, { x: 100, y: 160 }), null, "a fast swipe has no move between");
});

test("a long press does nothing", () => {
  const touches = new Touches();
  down(touches);
  assert.equal(up(touches, { at: LONG_MS }), null);
});

test("two fingers do nothing, and the next touch counts", () => {
  const touches = new Touches();
  down(touches);
  down(touches, { pointer: 2, x: 300 });
  assert.equal(up(touches, { pointer: 2, x: 300 }), null);
  assert.equal(up(touches), null);
  down(touches);
  assert.equal(up(touches), "button");
});

test("a finger that the browser takes away does nothing", () => {
  const touches = new Touches();
  down(touches);
  touches.cancel(1);
  assert.equal(up(touches), null);
  down(touches);
  assert.equal(up(touches), "button");
});

test("a touch beside all buttons has no target", () => {
  const touches = new Touches();
  down(touches, { target: null });
  assert.equal(up(touches), null);
});
