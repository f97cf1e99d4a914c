/** The page of a patient's ticket. */

import { languageChoice, themeButton } from "../components/reader-settings.js";
import { startFollowing } from "../live/connection.js";
import { crc32 } from "../live/view.js";
import { element, find } from "../shared/dom.js";
import { addTexts, loadLanguage, preferredLanguages } from "../shared/i18n.js";
import { SavedView, cachePage } from "../shared/offline.js";
import { isOutdated, reloadNewVersion } from "../shared/version.js";
import { lazyContact } from "../ticket/lazy-contact.js";
import { connectActions, connectPrinting } from "../ticket/actions.js";
import { TicketPage } from "../ticket/page.js";
import { connectAlerts } from "../ticket/turn-alert.js";

const TICKET_LIFE_MS = 24 * 3_600_000;
const TICK_MS = 15_000;
const CACHE_MS = 3_000;

/** Start the page of the ticket that the address names. */
export async function startPatient() {
  const token = location.pathname.split("/")[2] ?? "";
  // The name has the version of the cells' layout, and a checksum of the token: nobody can open the ticket with it.
  const store = new SavedView(`ticket8:${crc32(token).toString(16)}`, TICKET_LIFE_MS);
  const saved = store.read();
  addTexts("ticket");
  await loadLanguage(preferredLanguages(saved?.cells.ticket?.language, saved?.cells.ticket?.site_language)).catch(() => {});
  const page = new TicketPage(token, store, saved);
  connectActions(page);
  const alerts = connectAlerts(page);
  const languages = languageChoice(() => page.repaint());
  const theme = themeButton();
  page.addEventListener("language", () => {
    languages.show();
    theme.show();
    alerts.show();
  });
  find("[data-tools]").append(languages.element, theme.element);
  connectPrinting(page);
  followConnection(page);
  followEnd(page);
  lazyContact(page);
  page.showSaved();
  page.paintLive();
  startFollowing(page.connection);
  // The manifest of the app opens this ticket, so its address has the token: it is for this browser alone.
  document.head.append(element("link", { rel: "manifest", href: `/t/${encodeURIComponent(token)}/app.webmanifest` }));
  setInterval(() => page.paint(), TICK_MS); // time ranges and absences end by the clock
  setTimeout(() => void cachePage("/t"), CACHE_MS);
}

/**
 * Ask how the visit was, once it is over. The ticket may be of an earlier day, which the server refuses.
 *
 * @param {TicketPage} page
 */
function followEnd(page) {
  let asked = false;
  const ask = async () => {
    if (asked || (page.ticket?.state !== "completed" && page.connection.state !== "refused")) return;
    asked = true;
    const { askForFeedback } = await import("./feedback.js");
    await askForFeedback(page);
  };
  const tryToAsk = () => void ask().catch(() => (asked = false)); // without a network, with the next paint
  page.addEventListener("paint", tryToAsk);
  page.connection.addEventListener("state", tryToAsk);
}

/** @param {TicketPage} page */
function followConnection(page) {
  const { connection } = page;
  connection.addEventListener("state", async () => {
    if (connection.state === "live") {
      delete document.body.dataset.kept;
      page.paint();
    }
    page.paintLive();
    // A page that stays open for hours updates while the phone is put away, when nobody reads it.
    if (connection.state === "live" && (await isOutdated()) && document.hidden) void reloadNewVersion();
  });
  for (const change of ["online", "offline"]) window.addEventListener(change, () => page.paintLive());
}
