import { showLive } from "../components/live-mark.js";
import { Announcer } from "../display/announcer.js";
import { showControlPanel } from "../display/control-panel.js";
import { showBoard } from "../display/display-board.js";
import { showNextUp } from "../display/next-up.js";
import { Speaker, serverVoice } from "../display/speaker.js";
import { Connection, startFollowing } from "../live/connection.js";
import { find, setText } from "../shared/dom.js";
import { formatTime, loadLanguage, preferredLanguages, t } from "../shared/i18n.js";
import { forget, recall, remember } from "../shared/memory.js";
import { SavedView, cachePage } from "../shared/offline.js";
import { pairDevice } from "../shared/pairing.js";
import { Sound } from "../shared/sound.js";
import { applyTheme } from "../shared/theme.js";
import { keepScreenOn, onWakeUp, preventBurnIn } from "../shared/unattended.js";
import { VERSION, isOutdated, reloadNewVersion } from "../shared/version.js";

/**
 * @typedef {import("../live/cells.js").Site} Site
 * @typedef {import("../live/view.js").Cells} Cells
 */

const ASK_AGAIN_MS = 60_000;
const VERSION_MS = 15 * 60_000;
const QUIET_MS = 20_000; // since the last call: nobody is just reading it
const BOARD_LIFE_MS = 12 * 3_600_000;
const LAST = "display";

const id = location.pathname.split("/")[2] ?? "";
const tokenKey = `display:${id}`;
let token = takeToken();

// A screen that was paired once comes up as itself, whatever address it is switched on with.
const last = recall(LAST);
if (id === "" && last !== null) location.replace(`/display/${last}`);

const keeper = new SavedView(`board:${id}`, BOARD_LIFE_MS);
const kept = keeper.read();
/** @type {Site | undefined} */
const keptSite = kept?.cells.site;

await loadLanguage(preferredLanguages(keptSite?.language)).catch(() => {});

const hint = find("[data-sound-hint]");
const sound = new Sound();
const announcer = new Announcer(kept?.more ?? null);
const connection = new Connection(`/live/displays/${id}?token=${encodeURIComponent(token)}`);
const speaker = new Speaker(sound, {
  ask: serverVoice(id, () => token),
  isOpen: ({ entry }) => connection.view.cells.has(`entry:${entry}`),
});
let calledAt = 0;
let outdated = false;

/** Take the token out of the address, where anyone who passes by could read it; the browser keeps it. */
function takeToken() {
  const query = new URLSearchParams(location.search);
  const given = query.get("token");
  if (given === null) return recall(tokenKey) ?? "";
  remember(tokenKey, given);
  query.delete("token");
  history.replaceState(null, "", location.pathname + (query.size > 0 ? `?${query}` : ""));
  return given;
}

/** @returns {Site | undefined} */
const site = () => connection.view.cells.get("site");
const zone = () => site()?.time_zone;

function live() {
  showLive(connection, { page: "display", mark: find(".live-mark"), notice: find(".notice"), zone: zone() });
}

function draw() {
  showBoard(connection.view.cells, connection.now());
  tellTime();
}

function tellTime() {
  setText(find(".clock"), site() === undefined ? "" : formatTime(connection.now(), zone()));
}

/** Once it is on the screen, the desk may know. */
function painted() {
  connection.painted({ muted: !sound.ready, version: VERSION });
}

async function view() {
  const language = site()?.language;
  if (language !== undefined) {
    speaker.language = language;
    if (await loadLanguage(preferredLanguages(language)).catch(() => false)) live();
  }
  draw();
}

connection.addEventListener("view", () => void view());
connection.addEventListener("view", () => {
  if (connection.state === "connecting" && kept !== null && connection.view.seq === kept.seq) return; // as it was kept
  const { cells, seq } = connection.view;
  const fresh = announcer.take(cells);
  const newest = fresh.at(-1);
  if (newest !== undefined) {
    calledAt = Date.now();
    setText(find("[data-said]"), t("display.call", { label: newest.label, point: newest.point }));
  }
  speaker.say(fresh);
  keeper.keep(() => ({ at: connection.heardAt, seq, cells: Object.fromEntries(cells), more: announcer.heard }));
  requestAnimationFrame(painted);
});
connection.addEventListener("state", () => {
  live();
  if (connection.state === "live") {
    delete document.body.dataset.kept;
    remember(LAST, id);
    painted(); // it may have come back with nothing to paint
    void look();
  }
  if (connection.state === "refused") void becomePaired();
});

/** Whether the server has another version of this page by now. */
async function look() {
  outdated = await isOutdated();
}

/** Update at a quiet moment. */
function updateWhenQuiet() {
  if (outdated && connection.state === "live" && !speaker.busy && Date.now() - calledAt > QUIET_MS) {
    outdated = false;
    void reloadNewVersion();
  }
}

/** @type {AbortController | null} */
let pairing = null;

/**
 * Show a code until somebody has entered it, or until the token is good again after all: nobody stands by with a keyboard,
 * so should the refusal be mended, the screen finds out by itself.
 */
async function becomePaired() {
  if (pairing !== null) return;
  const stop = (pairing = new AbortController());
  const again = setInterval(() => token !== "" && connection.open(), ASK_AGAIN_MS);
  const mended = () => connection.state === "live" && stop.abort();
  connection.addEventListener("state", mended);
  const block = find("[data-pairing]");
  const note = find("[data-pairing-note]");
  document.body.dataset.pairing = "";
  block.hidden = false;
  const screen = {
    code: (/** @type {string} */ code, /** @type {number} */ until) => {
      setText(find("[data-code]"), `${code.slice(0, 3)} ${code.slice(3)}`);
      setText(note, t("display.pairing.until", { time: formatTime(until, zone()) }));
    },
    unreachable: () => setText(note, t("display.pairing.unreachable")),
  };
  try {
    for (;;) {
      const device = await pairDevice(screen, stop.signal);
      if (device.kind !== "display") {
        setText(note, t("display.pairing.elsewhere"));
        continue;
      }
      remember(`display:${device.device_id}`, device.token);
      remember(LAST, String(device.device_id));
      location.replace(`/display/${device.device_id}`);
      return;
    }
  } catch {
    // it is live again
  } finally {
    pairing = null;
    clearInterval(again);
    connection.removeEventListener("state", mended);
    block.hidden = true;
    delete document.body.dataset.pairing;
  }
}

async function hear() {
  const heard = await sound.prepare();
  hint.hidden = heard;
  if (connection.state === "live") painted();
  return heard;
}

sound.addEventListener("change", () => {
  hint.hidden = sound.ready;
  if (connection.state === "live") painted();
});
for (const touch of ["pointerdown", "keydown"]) document.addEventListener(touch, () => void (sound.ready || hear()));

showControlPanel(find("[data-panel]"), {
  test: async () => {
    await hear();
    await speaker.test();
  },
  pairAnew: () => {
    forget(tokenKey);
    forget(LAST);
    location.replace("/display");
  },
});

if (kept !== null && token !== "") {
  document.body.dataset.kept = "";
  connection.recall({ cells: new Map(Object.entries(kept.cells)), seq: kept.seq }, kept.at);
}
live();
if (token === "") void becomePaired();
else startFollowing(connection);
void hear();
keepScreenOn();
preventBurnIn();
onWakeUp(() => connection.state !== "refused" && token !== "" && connection.open());
setInterval(() => {
  tellTime();
  updateWhenQuiet();
}, 1_000);
setInterval(() => {
  showNextUp(find("[data-next-up]"), connection.view.cells, connection.now());
  applyTheme(hourThere());
}, 15_000);
setInterval(() => void look(), VERSION_MS);
applyTheme(hourThere());
setTimeout(() => void cachePage("/display"), 3_000);

/** The hour where the screen hangs: its own clock may be of another zone. */
function hourThere() {
  return Number(new Intl.DateTimeFormat("en", { hour: "numeric", hourCycle: "h23", timeZone: zone() }).format(connection.now()));
}
