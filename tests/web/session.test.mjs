import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { currentSession, destinationAfterSignIn, homeOf, refreshSession, signIn } from "../../web/js/shared/session.js";

const ORIGIN = "https://clinic.example";

test("signing in leads only to a path of this origin", () => {
  assert.equal(destinationAfterSignIn("/reception?site=2#x", ORIGIN, "/room"), "/reception?site=2#x");
  assert.equal(destinationAfterSignIn("/%2f/evil.example", ORIGIN, "/room"), "/%2f/evil.example", "a path of our own");
  const others = ["//evil.example", "/.//evil.example/x", "/a/..//evil.example", "/./\\evil.example", "/%2e//evil.example", "/x/%2E%2e//evil.example"];
  const odd = ["/\\evil.example", "\\\\evil.example", "/\t/evil.example", "/\n/evil.example", "/.\r\n//evil.example", " //evil.example", "//[", "/\u0000//evil.example/../.."];
  for (const wanted of [null, "", "reception", ...others, ...odd, "https://evil.example/", "https:evil.example", "javascript:alert(1)", "\tjavascript:alert(1)", "data:text/html,x"]) {
    const to = new URL(destinationAfterSignIn(wanted, ORIGIN, "/room"), ORIGIN);
    assert.equal(to.origin, ORIGIN, String(wanted));
    assert.equal(to.protocol, "https:", String(wanted));
  }
});

test("each role has its start page", () => {
  assert.equal(homeOf("clinician"), "/room");
  assert.equal(homeOf("admin"), "/admin");
  for (const role of ["manager", "receptionist"]) assert.equal(homeOf(role), "/reception", role);
});

Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
const SIGNED_OUT = { "X-API-Version": "1", "X-NowServing-Refusal": "not_signed_in" };
let memory;

beforeEach(() => {
  memory = new Map([["signed-in", "1"]]);
  globalThis.localStorage = {
    getItem: (name) => memory.get(name) ?? null,
    setItem: (name, value) => memory.set(name, value),
    removeItem: (name) => memory.delete(name),
  };
});

test("only the server itself says that nobody is signed in", async () => {
  globalThis.fetch = async () => new Response("{}", { status: 401, headers: SIGNED_OUT });
  assert.equal(await refreshSession(), false);
  assert.equal(await currentSession(), null);
  assert.equal(memory.has("signed-in"), false);
});

for (const status of [200, 401, 403, 404, 502]) {
  test(`an answer of ${status} by a proxy signs nobody in or out`, async () => {
    globalThis.fetch = async () => new Response("<html>", { status });
    await assert.rejects(refreshSession());
    await assert.rejects(currentSession());
    await assert.rejects(signIn("reception", "a password"));
    assert.equal(memory.get("signed-in"), "1");
  });
}
