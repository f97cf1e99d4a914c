import assert from "node:assert/strict";
import { test } from "node:test";
import { isServed } from "../../web/js/desk/serving.js";

const room = { state: "open", queues: [1, 2], provider: 9, unmet_needs: ["step_free"] };
const patient = (more) => ({ queue: 1, provider: null, needs: [], ...more });

test("a patient is served by an open point for the queue, the provider and the needs", () => {
  assert.equal(isServed([room], patient()), true);
  assert.equal(isServed([room], patient({ provider: 9, needs: ["interpreter"] })), true);
  assert.equal(isServed([], patient()), false);
  assert.equal(isServed([room], patient({ queue: 3 })), false, "no point serves this queue");
  assert.equal(isServed([room], patient({ provider: 8 })), false, "this provider is at no point");
  assert.equal(isServed([room], patient({ needs: ["step_free"] })), false);
  for (const state of ["on_break", "closed"]) assert.equal(isServed([{ ...room, state }], patient()), false, state);
});
