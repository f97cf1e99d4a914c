import assert from "node:assert/strict";
import { test } from "node:test";
import { LatestRequest } from "../../web/js/shared/latest-request.js";

/** Answers when it is told to, or fails when its question is dropped. */
function slowly() {
  const asked = [];
  globalThis.fetch = (address, { signal }) =>
    new Promise((resolve, reject) => {
      asked.push({ address, answer: (body, status = 200) => resolve(Response.json(body, { status })) });
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  return asked;
}

test("a newer question aborts the older, which then has no answer", async () => {
  const asked = slowly();
  const requests = new LatestRequest();
  const older = requests.get("/one");
  const newer = requests.get("/two");
  asked[1].answer({ n: 2 });
  assert.equal(await older, null);
  assert.deepEqual(await newer, { n: 2 });
});

test("a question that is dropped has no answer, and one that is refused throws", async () => {
  const asked = slowly();
  const requests = new LatestRequest();
  const dropped = requests.get("/one");
  requests.cancel();
  assert.equal(await dropped, null);
  const refused = requests.get("/two");
  asked[1].answer({}, 404);
  await assert.rejects(refused, /404/);
});
