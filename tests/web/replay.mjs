/**
 * Replays recorded messages of the server, and reports where `web/js/live/view.js` gives another view than the server.
 * `tests/unit/live/test_browser_view.py` runs it with a file of recordings: the messages of each view, and after each message
 * the cells of a fresh snapshot.
 */

import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { EMPTY, apply, digest } from "../../web/js/live/view.js";

const problems = [];
let steps = 0;
for (const { name, messages } of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  let view = EMPTY;
  for (const [index, { type, text, cells, sum }] of messages.entries()) {
    steps += 1;
    const message = JSON.parse(text);
    view = apply(view, type, message);
    const at = `${name}, message ${index} (${type})`;
    if (!isDeepStrictEqual(Object.fromEntries(view.cells), cells)) problems.push(`${at}: other cells`);
    if (view.seq !== message.seq) problems.push(`${at}: at ${view.seq}, not ${message.seq}`);
    if (digest(view.cells) !== sum) problems.push(`${at}: digest ${digest(view.cells)}, not ${sum}`);
    if (type === "heartbeat" && message.digest !== digest(view.cells)) problems.push(`${at}: the heartbeat's digest`);
  }
}
process.stdout.write(JSON.stringify({ steps, problems: problems.slice(0, 20) }));
