import assert from "node:assert/strict";
import { test } from "node:test";
import { destination } from "../../web/js/session.js";

const ORIGIN = "https://clinic.example";

test("after signing in one goes to a path of this origin, and nowhere else", () => {
  assert.equal(destination("/reception?site=2#x", ORIGIN), "/reception?site=2#x");
  for (const wanted of [null, "", "reception", "//evil.example", "/\\evil.example", "https://evil.example/", "javascript:alert(1)", "/\t/evil.example"]) {
    assert.equal(destination(wanted, ORIGIN), "/reception", String(wanted));
  }
});
