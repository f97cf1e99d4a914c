import { showLive } from "../components/live-mark.js";
import { languageChoice, themeButton } from "../components/reader-settings.js";
import { ticketOf } from "../live/cells.js";
import { Connection, startFollowing } from "../live/connection.js";
import { crc32 } from "../live/view.js";
import { isAway, showTicket, ticketTexts } from "../patient/ticket-view.js";
import { TurnAlert, requestNotifications } from "../patient/turn-alert.js";
import { CommandFailed, sendCommand } from "../shared/commands.js";
import { element, find, setText } from "../shared/dom.js";
import { formatDay, formatTime, loadLanguage, preferredLanguages, t } from "../shared/i18n.js";
import { recall, remember } from "../shared/memory.js";
import { SavedView, cachePage } from "../shared/offline.js";
import { Sound } from "../shared/sound.js";
import { isOutdated, reloadNewVersion } from "../shared/version.js";

/** @typedef {import("../live/cells.js").Ticket} Ticket */

const LATE_MINUTES = [5, 10, 15, 20, 30, 45];
const TICKET_LIFE_MS = 24 * 3_600_000;
const ALERTS = "alerts";

const token = location.pathname.split("/")[2] ?? "";
// What is kept is known by the cells' layout, and by a sum of the token: whoever finds it cannot open the ticket with it.
const keeper = new SavedView(`ticket5:${crc32(token).toString(16)}`, TICKET_LIFE_MS);
const kept = keeper.read();

await loadLanguage(preferredLanguages(kept?.cells.ticket?.language)).catch(() => {});

const main = find(".ticket");
const told = find("[data-told]");
const connection = new Connection(`/live/tickets/${encodeURIComponent(token)}`);
const sound = new Sound();
const summons = new TurnAlert(sound, kept?.more?.heard);
const alerts = find("[data-alerts]");
let mostAhead = kept?.more?.mostAhead ?? 0;
/** The stage that `mostAhead` is of: a visit goes from queue to queue. @type {number | undefined} */
let stage = kept?.more?.stage;
/** What the patient was told last, in words that may have to be said again in another language. */
let tell = () => ({ text: "", refused: false });

const ticketShown = () => ticketOf(connection.view.cells);

function live() {
  const { state } = connection;
  main.dataset.live = state;
  showLive(connection, {
    page: "patient",
    mark: find(".live-mark"),
    notice: find(".notice"),
    zone: ticketShown()?.time_zone,
    stale: navigator.onLine ? "patient.stale" : "patient.offline",
  });
}

function draw() {
  const ticket = ticketShown();
  if (ticket === undefined) return;
  if (ticket.entry !== stage) {
    stage = ticket.entry;
    mostAhead = 0;
  }
  mostAhead = Math.max(mostAhead, ticket.ahead ?? 0);
  const now = connection.now();
  showTicket(main, ticket, { mostAhead, now });
  setText(find(".ticket-site"), ticket.site ?? "");
  main.hidden = false;
  showActions(ticket, now);
  const { text, refused } = tell();
  setText(told, text);
  told.classList.toggle("is-refused", refused);
  if (ticket.state === "called" && document.body.dataset.kept === undefined) {
    summons.call(`${ticket.entry}.${ticket.since}.${ticket.calls}`, { label: ticket.label ?? "", point: ticket.point ?? "" });
  } else if (ticket.state !== "called") summons.stop();
  main.toggleAttribute("data-calling", summons.calling);
  find("[data-coming]").hidden = !summons.calling;
  if (!summons.calling) {
    const { headline } = ticketTexts(ticket, now);
    document.title = ticket.label ? `${headline} · ${ticket.label}` : headline;
  }
}

/**
 * @param {Ticket} ticket
 * @param {number} now
 */
function showActions(ticket, now) {
  const waiting = ticket.state === "waiting";
  const away = isAway(ticket, now);
  find("[data-here]").hidden = !away;
  find("[data-late]").hidden = !waiting;
  find("[data-leave]").hidden = !waiting && ticket.state !== "held";
  find("[data-print]").hidden = !waiting;
  alerts.hidden = !waiting && ticket.state !== "called";
}

async function view() {
  const language = ticketShown()?.language;
  if (language !== undefined && (await loadLanguage(preferredLanguages(language)).catch(() => false))) redraw();
  draw();
  keep();
}

/** The page in another language. */
function redraw() {
  languages.show();
  theme.show();
  showMinutes();
  showAlerts();
  live();
  draw();
}

function keep() {
  const { cells, seq } = connection.view;
  const more = { mostAhead, stage, heard: summons.heard };
  keeper.keep(() => ({ at: connection.heardAt, seq, cells: Object.fromEntries(cells), more }));
}

connection.addEventListener("view", () => void view());
connection.addEventListener("state", async () => {
  if (connection.state === "live") {
    delete document.body.dataset.kept;
    draw();
  }
  live();
  // Nobody reads it just now: a page that was left open for hours is renewed when its phone is put away.
  if (connection.state === "live" && (await isOutdated()) && document.hidden) void reloadNewVersion();
});
for (const change of ["online", "offline"]) window.addEventListener(change, live);

// What the patient can do

/**
 * Do a command, and say what came of it.
 *
 * @param {string} name
 * @param {Record<string, unknown>} body
 * @param {() => string} done  what to say then
 */
async function act(name, body, done) {
  const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (main.querySelectorAll(".ticket-actions .button"));
  for (const each of buttons) each.disabled = true;
  tell = () => ({ text: "", refused: false });
  try {
    await sendCommand(name, { entry_id: ticketShown()?.entry, ...body }, token);
    tell = () => ({ text: done(), refused: false });
  } catch (error) {
    const key = refusal(error);
    tell = () => ({ text: t(key), refused: true });
  } finally {
    for (const each of buttons) each.disabled = false;
    draw();
  }
}

/** @param {unknown} error */
function refusal(error) {
  const code = error instanceof CommandFailed ? error.code : "";
  if (code === "unreachable") return "patient.unreachable";
  return code.startsWith("entry_") ? "patient.no_longer" : "patient.failed";
}

/** @type {HTMLDialogElement} */
const late = find("#late");
/** @type {HTMLDialogElement} */
const leave = find("#leave");
for (const dialog of [late, leave]) {
  for (const each of dialog.querySelectorAll("[data-close]")) each.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
}
find("[data-late]").addEventListener("click", () => late.showModal());
find("[data-leave]").addEventListener("click", () => leave.showModal());
find("[data-leave-now]").addEventListener("click", () => {
  leave.close();
  void act("leave", {}, () => t("patient.leave.done"));
});
find("[data-here]").addEventListener("click", () => void act("running-late", { minutes: 0 }, () => t("patient.here.done")));
find("[data-coming]").addEventListener("click", () => {
  summons.stop();
  draw();
  keep();
});

function showMinutes() {
  find("[data-minutes]").replaceChildren(
    ...LATE_MINUTES.map((n) => {
      const choice = element("button", { className: "button", type: "button" }, t("patient.late.minutes", { n }));
      choice.dataset.minutes = String(n);
      choice.addEventListener("click", () => {
        late.close();
        const back = connection.now() + n * 60_000;
        void act("running-late", { minutes: n }, () => t("patient.late.done", { time: formatTime(back, ticketShown()?.time_zone) }));
      });
      return choice;
    }),
  );
}

// Being told aloud

function showAlerts() {
  const on = recall(ALERTS) !== null && sound.ready;
  alerts.setAttribute("aria-pressed", String(on));
  setText(find("span", alerts), t(on ? "patient.alerts.on" : "patient.alerts"));
}

alerts.addEventListener("click", async () => {
  remember(ALERTS, "1");
  if (await sound.prepare()) await sound.ring();
  await requestNotifications();
  showAlerts();
});
sound.addEventListener("change", showAlerts);
// Who wanted it once wants it still; the browser asks for a touch each time a page is opened.
if (recall(ALERTS) !== null) document.addEventListener("pointerdown", () => void sound.prepare().then(showAlerts), { once: true });

// On paper

find("[data-print]").addEventListener("click", async () => {
  /** @type {HTMLImageElement} */
  const code = find("[data-code]");
  if (code.hidden) {
    code.src = `/api/v1/tickets/${encodeURIComponent(token)}/qr.svg`;
    await code.decode().then(() => (code.hidden = false)).catch(() => {});
  }
  stamp();
  window.print();
});
window.addEventListener("beforeprint", stamp);

function stamp() {
  const zone = ticketShown()?.time_zone;
  setText(find("[data-printed]"), `${formatDay(connection.now(), zone)}, ${formatTime(connection.now(), zone)}`);
}

// Its frame

const languages = languageChoice(redraw);
const theme = themeButton();
find("[data-tools]").append(languages.element, theme.element);
showMinutes();
showAlerts();

if (kept !== null) {
  document.body.dataset.kept = "";
  connection.recall({ cells: new Map(Object.entries(kept.cells)), seq: kept.seq }, kept.at);
}
live();
startFollowing(connection);
// As an app it opens this ticket: its address is told to this browser alone, when somebody is there to use it.
document.head.append(element("link", { rel: "manifest", href: `/t/${encodeURIComponent(token)}/app.webmanifest` }));
setInterval(draw, 15_000); // ranges and absences end by the clock
setTimeout(() => void cachePage("/t"), 3_000);
