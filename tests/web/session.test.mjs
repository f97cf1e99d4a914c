import assert from "node:assert/strict";
import { test } from "node:test";
import { destinationAfterSignIn, homeOf } from "../../web/js/shared/session.js";

const ORIGIN = "https://clinic.example";

test("signing in leads only to a path of this origin", () => {
  assert.equal(destinationAfterSignIn("/reception?site=2#x", ORIGIN, "/room"), "/reception?site=2#x");
  for (const wanted of [null, "", "reception", "//evil.example", "/\\evil.example", "https://evil.example/", "javascript:alert(1)", "/\t/evil.example"]) {
    assert.equal(destinationAfterSignIn(wanted, ORIGIN, "/room"), "/room", String(wanted));
  }
});

test("each role has its start page", () => {
  assert.equal(homeOf("clinician"), "/room");
  for (const role of ["admin", "manager", "receptionist"]) assert.equal(homeOf(role), "/reception", role);
});
