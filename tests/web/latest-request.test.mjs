import assert from "node:assert/strict";
import { test } from "node:test";
import { LatestRequest } from "../../web/js/shared/latest-request.js";

/** Replace `fetch` by one that answers when the test says so, and rejects when its signal aborts. */
function slowly() {
  const asked = [];
  globalThis.fetch = (address, { signal }) =>
    new Promise((resolve, reject) => {
      asked.push({ address, answer: (body, status = 200) => resolve(Response.json(body, { status })) });
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  return asked;
}

test("a newer request aborts the older one, which returns null", async () => {
  const asked = slowly();
  const requests = new LatestRequest();
  const older = requests.get("/one");
  const newer = requests.get("/two");
  asked[1].answer({ n: 2 });
  assert.equal(await older, null);
  assert.deepEqual(await newer, { n: 2 });
});

test("a cancelled request returns null, and a refused one throws", async () => {
  const asked = slowly();
  const requests = new LatestRequest();
  const cancelled = requests.get("/one");
  requests.cancel();
  assert.equal(await cancelled, null);
  const refused = requests.get("/two");
  asked[1].answer({}, 404);
  await assert.rejects(refused, /404/);
});
