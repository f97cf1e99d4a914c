import assert from "node:assert/strict";
import { test } from "node:test";
import { destinationAfterSignIn, homeOf } from "../../web/js/shared/session.js";

const ORIGIN = "https://clinic.example";

test("after signing in one goes to a path of this origin, and nowhere else", () => {
  assert.equal(destinationAfterSignIn("/reception?site=2#x", ORIGIN, "/room"), "/reception?site=2#x");
  for (const wanted of [null, "", "reception", "//evil.example", "/\\evil.example", "https://evil.example/", "javascript:alert(1)", "/\t/evil.example"]) {
    assert.equal(destinationAfterSignIn(wanted, ORIGIN, "/room"), "/room", String(wanted));
  }
});

test("each role is led to its screen", () => {
  assert.equal(homeOf("clinician"), "/room");
  for (const role of ["admin", "manager", "receptionist"]) assert.equal(homeOf(role), "/reception", role);
});
