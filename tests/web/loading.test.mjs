import assert from "node:assert/strict";
import { test } from "node:test";

import { loadInTheEnd } from "../../web/js/shared/loading.js";

test("a module that fails to load is loaded after pauses of at most half a minute", async () => {
  const pauses = [];
  let asked = 0;
  const load = async () => {
    asked += 1;
    if (asked < 9) throw new TypeError("Failed to fetch dynamically imported module");
    return "here";
  };
  assert.equal(await loadInTheEnd(load, async (milliseconds) => void pauses.push(milliseconds)), "here");
  assert.deepEqual(pauses, [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
});
