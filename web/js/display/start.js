/** The page of a waiting room's display. It runs for weeks without anybody who operates it. */

import { forgetIdentity, readIdentity, rememberIdentity, tryGivenToken } from "../device/identity.js";
import { PairingScreen } from "../device/pairing-screen.js";
import { VersionCheck } from "../device/version-check.js";
import { startFollowing } from "../live/connection.js";
import { find } from "../shared/dom.js";
import { loadLanguage, preferredLanguages } from "../shared/i18n.js";
import { SavedView, cachePage } from "../shared/offline.js";
import { applyTheme } from "../shared/theme.js";
import { keepScreenOn, preventBurnIn } from "../shared/unattended.js";
import { showControlPanel } from "./control-panel.js";
import { DisplayScreen } from "./screen.js";

const BOARD_LIFE_MS = 12 * 3_600_000;
const SECOND_MS = 1_000;
const TICK_MS = 15_000;
const VERSION_MS = 15 * 60_000;
const CACHE_MS = 3_000;
const TOLD_MS = 60_000;
const QUIET_MS = 20_000; // after a call, the time that people need to read it

/** Start the page: follow the display of this browser, or show a pairing code. */
export async function startDisplay() {
  const identity = readIdentity("display");
  const trial = await tryGivenToken(identity);
  const store = new SavedView(`board:${identity.id}`, BOARD_LIFE_MS);
  const saved = store.read();
  await loadLanguage(preferredLanguages(saved?.cells.site?.language)).catch(() => {});
  const screen = new DisplayScreen(identity, store, saved);
  const pairing = new PairingScreen(screen, identity);
  const { connection, speaker } = screen;
  const versions = new VersionCheck(
    () => connection.state === "live" && !speaker.busy && Date.now() - screen.lastCallAt > QUIET_MS,
  );
  followState(screen, { identity, pairing, versions });
  prepareSound(screen);
  showControlPanel(find("[data-panel]"), {
    test: async () => {
      await screen.prepareSound();
      await screen.speaker.test();
    },
    pairAgain: () => {
      forgetIdentity(identity);
      location.replace("/display");
    },
  });
  if (identity.token !== "") screen.showSaved();
  screen.paintLive();
  if (identity.token === "") void pairing.show();
  else startFollowing(connection);
  void screen.prepareSound();
  runUnattended(screen, versions);
  void endTrial(identity, trial);
  setTimeout(() => void cachePage("/display"), CACHE_MS);
}

/**
 * Try the token of the address until the server answers. An accepted token reloads the page; a refused one is reported for
 * a minute, to the person who opened the address.
 *
 * @param {import("../device/identity.js").Identity} identity
 * @param {Awaited<ReturnType<typeof tryGivenToken>>} trial  the first result, which the page has started with
 */
async function endTrial(identity, trial) {
  let result = trial;
  while (result === "unknown") {
    await new Promise((done) => setTimeout(done, TICK_MS));
    result = await tryGivenToken(identity);
    if (result === "accepted") location.reload();
  }
  if (result !== "refused") return;
  const note = find("[data-token-refused]");
  note.hidden = false;
  setTimeout(() => (note.hidden = true), TOLD_MS);
}

/**
 * React to changes of the connection's state.
 *
 * @param {DisplayScreen} screen
 * @param {{identity: import("../device/identity.js").Identity, pairing: PairingScreen, versions: VersionCheck}} parts
 */
function followState(screen, { identity, pairing, versions }) {
  const { connection } = screen;
  connection.addEventListener("state", () => {
    screen.paintLive();
    if (connection.state === "live") {
      delete document.body.dataset.kept;
      rememberIdentity(identity);
      screen.reportPainted(); // a connection that resumes may have nothing new to paint
      void versions.check();
    }
    if (connection.state === "refused") void pairing.show();
  });
}

/**
 * Show a hint while the browser allows no sound, and try again at every touch and key: browsers wait for one.
 *
 * @param {DisplayScreen} screen
 */
function prepareSound(screen) {
  const { sound } = screen;
  sound.addEventListener("change", () => screen.showSoundHint());
  for (const touch of ["pointerdown", "keydown"]) {
    document.addEventListener(touch, () => void (sound.ready || screen.prepareSound()));
  }
}

/**
 * Keep the screen on and up to date as time passes.
 *
 * @param {DisplayScreen} screen
 * @param {VersionCheck} versions
 */
function runUnattended(screen, versions) {
  const { connection } = screen;
  keepScreenOn();
  preventBurnIn();
  setInterval(() => {
    screen.showTime();
    versions.updateWhenQuiet();
  }, SECOND_MS);
  setInterval(() => {
    if (connection.view.cells.size > 0) screen.showBoard();
    applyTheme(screen.hour());
  }, TICK_MS);
  setInterval(() => void versions.check(), VERSION_MS);
  applyTheme(screen.hour());
}
