import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY, apply, crc32, digest } from "../../web/js/live/view.js";

// Computed by the server: the XOR of `server.live.messages.digest_of(key, orjson.dumps(cell))`.
const SERVER_DIGEST = 1864795504;
const SERVER_CELLS = {
  site: { name: "Klinik Süd – Zoë’s 診療所 😀", time_zone: "Europe/Berlin", language: "de", business_day: "2025-03-30" },
  "entry:1000000012": {
    label: "A012", state: "waiting", queue: 1000000001, point: null, rank: [1, 1763658000123456, 1000000012],
    priority: "urgent", joined: 1763658000123, since: 1763658000123, calls: 0,
    name: "Łukasz \"Lou\" O'Neill\\\u007f\u2028", party: 2, language: "en",
  },
  "point:1000000003": { name: "Room 3", queues: [1000000001, 1000000002], position: 0, entry: null },
};

const snapshot = (cells, seq = 1) => ({ seq, heartbeat_ms: 15_000, cells });

test("CRC-32 is the same as zlib's", () => {
  assert.equal(crc32(""), 0);
  assert.equal(crc32("123456789"), 0xcbf43926);
});

test("a digest is the same as the server's, for all letters and any order of the cells", () => {
  assert.equal(digest([]), 0);
  const { cells } = apply(EMPTY, "snapshot", JSON.parse(JSON.stringify(snapshot(SERVER_CELLS))));
  assert.equal(digest(cells), SERVER_DIGEST);
  assert.equal(digest([...cells].reverse()), SERVER_DIGEST);
});

test("a digest changes with a different, missing or renamed cell", () => {
  for (const cells of [{ a: { n: 2 } }, {}, { b: { n: 1 } }, { a: { n: 1 }, b: { n: 1 } }]) {
    assert.notEqual(digest(Object.entries(cells)), digest([["a", { n: 1 }]]));
  }
});

test("a snapshot replaces everything", () => {
  const before = apply(EMPTY, "snapshot", snapshot({ a: { n: 1 }, b: { n: 2 } }, 4));
  const after = apply(before, "snapshot", { ...snapshot({ b: { n: 3 } }, 9), heartbeat_ms: 2_000 });
  assert.deepEqual([...after.cells], [["b", { n: 3 }]]);
  assert.equal(after.seq, 9);
  assert.equal(after.heartbeatMs, 2_000);
});

test("a change sets and deletes cells, and leaves the old view unchanged", () => {
  const before = apply(EMPTY, "snapshot", snapshot({ a: { n: 1 }, b: { n: 2 } }));
  const after = apply(before, "change", { seq: 2, set: { a: { n: 5 }, c: { n: 6 } }, del: ["b", "never-there"] });
  assert.deepEqual(Object.fromEntries(after.cells), { a: { n: 5 }, c: { n: 6 } });
  assert.deepEqual(Object.fromEntries(before.cells), { a: { n: 1 }, b: { n: 2 } });
  assert.equal(after.seq, 2);
});

test("a change applied twice has the effect of one", () => {
  const change = { seq: 2, set: { a: { n: 5 } }, del: ["b"] };
  const once = apply(apply(EMPTY, "snapshot", snapshot({ b: { n: 2 } })), "change", change);
  assert.deepEqual(apply(once, "change", change), once);
});

test("a heartbeat changes the number only, and an unknown message nothing", () => {
  const before = apply(EMPTY, "snapshot", snapshot({ a: { n: 1 } }));
  const after = apply(before, "heartbeat", { seq: 7, at: 1, digest: 1 });
  assert.equal(after.seq, 7);
  assert.equal(after.cells, before.cells);
  assert.equal(apply(after, "of-a-later-version", {}), after);
});

test("every name is allowed as a key", () => {
  const { cells } = apply(EMPTY, "snapshot", JSON.parse('{"seq":1,"heartbeat_ms":1,"cells":{"__proto__":{"n":1},"7":{"n":2}}}'));
  assert.equal(cells.size, 2);
});
