/**
 * The frame of a past screen: the page of a display, a kiosk, the calendar, reception or a room, drawn by its own modules
 * from the cells of the past. It follows nothing, sends nothing and makes no sound: the page around it says what to show.
 */

import { standingCells } from "../components/call-board.js";
import { showBoard } from "../components/display-board.js";
import { EMPTY, apply } from "../live/view.js";
import { find, setText } from "../shared/dom.js";
import { addTexts, formatTime, learnOffsets, loadLanguage, useClock } from "../shared/i18n.js";

/**
 * @typedef {{screen: string, site: import("../shared/session.js").Site, language: string}} Opening
 * @typedef {{cells?: Record<string, any>, set?: Record<string, any>, del?: string[], seq: number, now: number}} Told
 */

/** In place of a live connection: the view of the past, and the time of the replay. */
class PastConnection extends EventTarget {
  view = EMPTY;
  state = "live";
  refusal = null;
  heardAt = 0;
  disagreements = 0;

  now() {
    return this.heardAt;
  }

  /** @param {Told} told */
  take({ cells, set = {}, del = [], seq, now }) {
    this.heardAt = now;
    const before = this.view;
    if (cells !== undefined) this.view = apply(before, "snapshot", { cells, seq, heartbeat_ms: 0 });
    else if (seq !== before.seq) this.view = apply(before, "change", { set, del, seq });
    learnOffsets(this.view.cells.get("site"));
    this.dispatchEvent(new Event("view"));
  }
}

/** In place of the commands of a screen: there are none. */
class NoOrders extends EventTarget {
  doing = "";
  last = null;
}

const nothing = () => false;

/** The texts that each kind of screen has besides those of all pages. @type {Record<string, string[]>} */
const PARTS = { display: ["late"], point: ["room"], kiosk: ["kiosk"], calendar: ["appointments", "calendar"] };

/**
 * Draw the screen whenever the view changes.
 *
 * @param {Opening} opening
 * @param {any} connection  has all that the painting modules use of a live one
 */
async function drawScreen({ screen, site, language }, connection) {
  const [kind, id] = screen.split(":");
  const orders = /** @type {any} */ (new NoOrders());
  for (const part of PARTS[kind ?? ""] ?? []) addTexts(part);
  await loadLanguage([kind === "display" || kind === "kiosk" ? site.language : language]);
  if (kind === "display") {
    connection.addEventListener("view", () => paintDisplay(connection));
  } else if (kind === "kiosk") {
    const { paintIdle } = await import("../kiosk/idle.js");
    connection.addEventListener("view", () => paintKiosk(connection, Number(id), paintIdle));
  } else if (kind === "calendar") {
    const [{ startPainting }, { PastCalendar }] = await Promise.all([import("../calendar/painting.js"), import("./past-calendar.js")]);
    startPainting(/** @type {any} */ (new PastCalendar(site, connection, orders)));
    setText(find("[data-site]"), site.name);
  } else if (kind === "point") {
    const [{ RoomState }, { startPainting }] = await Promise.all([import("../room/state.js"), import("../room/painting.js")]);
    startPainting(new RoomState({ site, pointId: Number(id), connection, orders }), false);
  } else {
    const [{ DeskState }, { startPainting }, { lazyDay }, { hideForbidden }] = await Promise.all([
      import("../reception/state.js"),
      import("../reception/painting.js"),
      import("../reception/lazy-day.js"),
      import("../reception/buttons.js"),
    ]);
    const state = new DeskState({ site, may: nothing, connection, orders });
    state.pointId = null;
    startPainting(state, false);
    lazyDay(state, nothing);
    hideForbidden(document, nothing);
    setText(find("[data-site]"), site.name);
  }
}

/**
 * Show the first page of a kiosk's queues, as nobody touches it.
 *
 * @param {PastConnection} connection
 * @param {number} id
 * @param {typeof import("../kiosk/idle.js").paintIdle} paintIdle
 */
function paintKiosk(connection, id, paintIdle) {
  const { cells } = connection.view;
  const site = cells.get("site");
  const now = connection.now();
  useClock(site?.clock);
  document.body.dataset.state = "idle";
  document.body.dataset.live = "live";
  for (const part of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-screen]"))) part.hidden = part.dataset.screen !== "idle";
  setText(find("[data-site]"), site?.name ?? "");
  setText(find(".clock"), formatTime(now, site?.time_zone));
  paintIdle(cells, { kiosk: cells.get(`kiosk:${id}`), now, page: 0, isLive: true });
  for (const button of document.querySelectorAll("button")) button.disabled = true;
}

/** @param {PastConnection} connection */
function paintDisplay(connection) {
  const { cells } = connection.view;
  const site = cells.get("site");
  useClock(site?.clock);
  const now = connection.now();
  showBoard(standingCells(cells, now), now);
  setText(find(".clock"), formatTime(now, site?.time_zone));
}

const connection = new PastConnection();
/** @type {Promise<void> | null} */
let drawing = null;

addEventListener("message", async ({ source, origin, data }) => {
  if (source !== parent || origin !== parent.location.origin) return;
  if (data.opening !== undefined) drawing = drawScreen(data.opening, connection);
  await drawing;
  if (data.told !== undefined) connection.take(data.told);
});
parent.postMessage({ ready: true }, parent.location.origin);
