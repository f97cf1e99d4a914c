/** The page of a kiosk. It runs for weeks, and everybody may touch it. */

import { readIdentity, rememberIdentity, tryGivenToken } from "../device/identity.js";
import { PairingScreen } from "../device/pairing-screen.js";
import { VersionCheck } from "../device/version-check.js";
import { startFollowing } from "../live/connection.js";
import { addTexts, loadLanguage, preferredLanguages } from "../shared/i18n.js";
import { SavedView, cachePage } from "../shared/offline.js";
import { applyTheme } from "../shared/theme.js";
import { keepScreenOn, preventBurnIn } from "../shared/unattended.js";
import { Panel } from "./panel.js";
import { followScanner } from "./scanner.js";
import { KioskScreen } from "./screen.js";
import { followTouches } from "./touch.js";

const VIEW_LIFE_MS = 12 * 3_600_000;
const SECOND_MS = 1_000;
const REPORT_MS = 5_000;
const TICK_MS = 15_000;
const VERSION_MS = 15 * 60_000;
const CACHE_MS = 3_000;

/** Start the page: follow the kiosk of this browser, or show a pairing code. */
export async function startKiosk() {
  addTexts("kiosk");
  const identity = readIdentity("kiosk");
  let trial = await tryGivenToken(identity);
  const store = new SavedView(`kiosk-view:${identity.id}`, VIEW_LIFE_MS);
  const saved = store.read();
  await loadLanguage(preferredLanguages(saved?.cells.site?.language)).catch(() => {});
  const screen = new KioskScreen(identity, store);
  const { connection, printer, reach } = screen;
  const panel = new Panel(screen);
  const pairing = new PairingScreen(screen, identity);
  const versions = new VersionCheck(() => connection.state === "live" && screen.isQuiet);
  followTouches(document, {
    act: (button) => (button.dataset.do === "panel" ? panel.act(button) : screen.act(button)),
    sign: () => screen.sign(),
  });
  followScanner((code) => screen.scanned(code));
  connection.addEventListener("state", () => {
    if (connection.state === "live") rememberIdentity(identity);
    if (connection.state === "refused") void pairing.show();
  });
  printer.start();
  keepScreenOn();
  preventBurnIn();
  applyTheme();
  setInterval(() => {
    screen.showTime();
    versions.updateWhenQuiet();
  }, SECOND_MS);
  setInterval(() => connection.state === "live" && screen.report(), REPORT_MS);
  setInterval(() => applyTheme(), TICK_MS);
  setInterval(() => void versions.check(), VERSION_MS);
  setTimeout(() => void cachePage("/kiosk"), CACHE_MS);
  if (identity.token === "") {
    void pairing.show();
    return;
  }
  if (saved !== null) connection.showSaved({ cells: new Map(Object.entries(saved.cells)), seq: saved.seq }, saved.at);
  startFollowing(connection);
  reach.start();
  while (trial === "unknown") {
    await new Promise((done) => setTimeout(done, TICK_MS));
    trial = await tryGivenToken(identity);
    if (trial === "accepted") location.reload();
  }
}
