/** The page of a patient's appointment. After the check-in, it is the page of the ticket. */

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
import { AppointmentActions } from "./actions.js";
import { AppointmentView } from "./view.js";

const LIFE_MS = 7 * 24 * 3_600_000;
const TICK_MS = 15_000;
const CACHE_MS = 3_000;
/** Behind `#` in the address: the appointment was booked a moment ago. */
const NEW = "#new";

/** Start the page of the appointment that the address names. */
export async function startAppointment() {
  addTexts("ticket");
  addTexts("appointment");
  const token = location.pathname.split("/")[2] ?? "";
  // The name has the version of the cells' layout, and a checksum of the token: nobody can open the appointment with it.
  const store = new SavedView(`appointment2:${crc32(token).toString(16)}`, LIFE_MS);
  const saved = store.read();
  const kept = saved?.cells.appointment;
  await loadLanguage(preferredLanguages(kept?.language, kept?.site_language)).catch(() => {});
  const page = new TicketPage(token, store, saved, "appointments");
  const isNew = location.hash === NEW;
  if (isNew) history.replaceState(null, "", location.pathname + location.search);
  const view = new AppointmentView(page, isNew);
  const actions = new AppointmentActions(page, view);
  connectActions(page);
  const alerts = connectAlerts(page);
  const languages = languageChoice(() => page.repaint());
  const theme = themeButton();
  page.addEventListener("language", () => {
    languages.show();
    theme.show();
    alerts.show();
    actions.repaint();
  });
  page.addEventListener("paint", () => view.paint());
  find("[data-tools]").append(languages.element, theme.element);
  connectPrinting(page);
  const { connection } = page;
  connection.addEventListener("state", async () => {
    if (connection.state === "live") {
      delete document.body.dataset.kept;
      page.paint();
      void view.ask();
    }
    page.paintLive();
    if (connection.state === "live" && (await isOutdated()) && document.hidden) void reloadNewVersion();
  });
  lazyContact(page);
  for (const change of ["online", "offline"]) window.addEventListener(change, () => page.paintLive());
  page.showSaved();
  page.paintLive();
  startFollowing(connection);
  // The manifest of the app opens this appointment, so its address has the token: it is for this browser alone.
  document.head.append(element("link", { rel: "manifest", href: `/a/${encodeURIComponent(token)}/app.webmanifest` }));
  setInterval(() => page.paint(), TICK_MS); // the time of the check-in begins and ends by the clock
  setTimeout(() => void cachePage("/a"), CACHE_MS);
}
