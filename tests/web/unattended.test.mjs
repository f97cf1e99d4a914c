import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { keepScreenOn } from "../../web/js/shared/unattended.js";

const turn = () => new Promise((resolve) => setImmediate(resolve));
let page;
let locks;
let refuses;

beforeEach(async () => {
  locks = [];
  refuses = false;
  page = Object.assign(new EventTarget(), { visibilityState: "visible" });
  const request = async () => {
    if (refuses) throw new DOMException("low battery", "NotAllowedError");
    locks.push(new EventTarget());
    return locks.at(-1);
  };
  Object.defineProperty(globalThis, "navigator", { value: { wakeLock: { request } }, configurable: true });
  globalThis.document = page;
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  keepScreenOn();
  await turn();
});

afterEach(() => mock.timers.reset());

async function release() {
  locks.at(-1).dispatchEvent(new Event("release"));
  await turn();
}

async function pass(ms) {
  mock.timers.tick(ms);
  await turn();
}

test("a lock that the browser releases while the page is visible is requested again, with growing delays", async () => {
  assert.equal(locks.length, 1);
  for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
    await release();
    const before = locks.length;
    await pass(seconds * 1_000 - 1);
    assert.equal(locks.length, before, `before ${seconds} s`);
    await pass(1);
    assert.equal(locks.length, before + 1, `after ${seconds} s`);
  }
  await pass(61_000);
  await release();
  await pass(1_000);
  assert.equal(locks.length, 10, "a lock that lasted begins with the first delay again");
});

test("a refused lock is requested again", async () => {
  refuses = true;
  await release();
  await pass(1_000);
  assert.equal(locks.length, 1);
  refuses = false;
  await pass(2_000);
  assert.equal(locks.length, 2);
});

test("a hidden page waits until it is visible", async () => {
  page.visibilityState = "hidden";
  await release();
  await pass(600_000);
  assert.equal(locks.length, 1);
  page.visibilityState = "visible";
  page.dispatchEvent(new Event("visibilitychange"));
  await turn();
  assert.equal(locks.length, 2);
});
