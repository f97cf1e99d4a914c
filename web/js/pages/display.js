import { Announcer } from "../components/announcer.js";
import { showCalls } from "../components/call-board.js";
import { Chime } from "../components/chime.js";
import { showLive } from "../components/live-mark.js";
import { showNextUp } from "../components/next-up.js";
import { find, say } from "../dom.js";
import { speak, time } from "../i18n.js";
import { follow } from "../live/connection.js";
import { recollect, remember } from "../memory.js";

/** @typedef {import("../live/cells.js").Site} Site */

const ASK_AGAIN_MS = 60_000;
const VERSION = "1";

await speak();

const id = location.pathname.split("/")[2] ?? "";
const token = takeToken();
const connection = follow(`/live/displays/${id}?token=${encodeURIComponent(token)}`);
const announcer = new Announcer();
const chime = new Chime();
const hint = find("[data-sound-hint]");
const calls = find("[data-calls]");
const live = () =>
  showLive(connection, { page: "display", mark: find(".live-mark"), notice: find(".notice"), zone: site()?.time_zone });

/** Take the token out of the address, where anyone who passes by could read it; the browser keeps it. */
function takeToken() {
  const key = `display:${id}`;
  const given = new URLSearchParams(location.search).get("token");
  if (given === null) return recollect(key) ?? "";
  remember(key, given);
  history.replaceState(null, "", location.pathname);
  return given;
}

/** @returns {Site | undefined} */
function site() {
  return connection.view.cells.get("site");
}

function tellTime() {
  say(find(".clock"), time(connection.now(), site()?.time_zone));
}

connection.addEventListener("view", () => {
  const { cells } = connection.view;
  showCalls(calls, cells);
  find("[data-no-calls]").hidden = calls.childElementCount > 0;
  showNextUp(find("[data-next-up]"), cells);
  say(find("[data-site]"), site()?.name ?? "");
  tellTime();
  for (const _ of announcer.take(cells)) chime.ring();
  requestAnimationFrame(painted);
});
/** Once it is on the screen, the desk may know. */
function painted() {
  connection.painted({ muted: !hint.hidden, version: VERSION });
}
connection.addEventListener("state", () => {
  live();
  if (connection.state === "live") painted(); // it may have come back with nothing to paint
  // Nobody stands by with a keyboard: should the refusal be mended, the screen finds out by itself.
  if (connection.state === "refused") setTimeout(() => connection.open(), ASK_AGAIN_MS);
});
live();
tellTime();
setInterval(tellTime, 1_000);

const hear = async () => {
  hint.hidden = await chime.prepare();
  if (connection.state === "live") painted();
  return hint.hidden;
};
if (!(await hear())) {
  for (const touch of ["pointerdown", "keydown"]) document.addEventListener(touch, () => void hear(), { once: true });
}
