import { learnOffsets } from "../shared/i18n.js";
import { recall, remember } from "../shared/memory.js";
import { openEvents, openFrames } from "./transports.js";
import { EMPTY, apply, digest } from "./view.js";

/**
 * @typedef {import("./view.js").View} View
 * @typedef {"connecting" | "live" | "stale" | "refused"} State
 *   `connecting`: not live for up to two and a half heartbeats; `stale`: not live for longer; `refused`: by the server, and
 *   the connection does not try again
 * @typedef {{version: string, muted?: boolean, printer?: string | undefined}} Health  of a display or a kiosk
 */

const MISSED_HEARTBEATS = 2.5;
const LATE_HEARTBEATS = 1.5;
const ACK_MS = 2_000;
const REVOKED_DELAY_MS = 500;
const SAVED_VIEW_MS = 4_000;
const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;
const BLOCKED = "websocket-blocked"; // when this browser last found it so, in milliseconds
const BLOCKED_MS = 30 * 60_000;
const LOOK_MS = 5_000;
const SLEPT_MS = 15_000;

/** Whether a proxy between this browser and the server let no WebSocket through, a short time ago. */
function isBlocked() {
  const ageMs = Date.now() - Number(recall(BLOCKED));
  return ageMs >= 0 && ageMs < BLOCKED_MS;
}

/**
 * Follows a live address while the page is open, through failures of the network and the server.
 *
 * It uses WebSocket: over HTTP/1.1 a browser opens six other connections to a server, for all its tabs. Where a proxy
 * blocks WebSocket, it uses server-sent events, and tries WebSocket again later.
 *
 * Events: `view` after the view has changed; `state` after the state has changed; `disagreement` when the server's digest
 * differs from ours (a fresh snapshot follows). The properties hold the values.
 */
export class Connection extends EventTarget {
  /** The latest view. @type {View} */
  view = EMPTY;
  /** @type {State} */
  state = "connecting";
  /** When the last message came, in the server's time (milliseconds). */
  heardAt = Date.now();
  /** The status of the refusal: 401, 403 or 404. @type {number | null} */
  refusal = null;
  /** How often the view differed from the server's. It should stay 0. */
  disagreements = 0;

  #address;
  /** Whether a stream is wanted: from `open` until `close` or a refusal. */
  #following = false;
  /** Whether the next attempt uses events, because this connection's WebSocket was blocked. */
  #eventsNext = false;
  /** Whether messages on the present events prove that WebSocket alone is blocked. */
  #proving = false;
  /** @type {string | null} */
  #lastId = null;
  #aheadMs = 0; // how far the server's clock is ahead of ours
  #losses = 0;
  #openedAt = 0;
  #heard = false; // on the present transport
  #heardOn = Date.now(); // when the last message came, by the browser's clock
  #close = () => {};
  /** Sends a text on the transport itself, if it can send. @type {((text: string) => void) | null} */
  #send = null;
  /** @type {Health | null} */
  #health = null;
  #ackedAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #ack;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #next;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #watch;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #staleTimer;

  /** @param {string} address  same-origin, such as `/live/sites/1/desk` */
  constructor(address) {
    super();
    this.#address = address;
  }

  /** Connect, or reconnect at once: after a refusal that may be over, or when the network is back. */
  open() {
    this.#shut();
    this.#following = true;
    this.refusal = null;
    if (this.state === "refused") this.#setState("connecting");
    if (this.#staleTimer === undefined) this.#startStaleTimer();
    this.#openedAt = Date.now();
    this.#heard = false;
    this.#restartWatch();
    this.#proving = this.#eventsNext;
    const open = this.#eventsNext || isBlocked() ? openEvents : openFrames;
    this.#eventsNext = false;
    this.#close = open(this.#resumeAddress(), {
      message: (type, id, text) => this.#take(type, id, JSON.parse(text)),
      ready: (send) => (this.#send = send),
      lost: () => this.#lost(),
      blocked: () => this.#openEvents(),
      refused: (status) => this.#refused(status),
    });
  }

  /**
   * Show a saved view until the server answers. Call it before the first `open`. If the server does not answer within four
   * seconds, the state is `stale`.
   *
   * @param {Pick<View, "cells" | "seq">} view
   * @param {number} heardAt  when the server last confirmed it, in the server's time (milliseconds)
   */
  showSaved({ cells, seq }, heardAt) {
    this.view = { ...this.view, cells, seq };
    learnFrom(cells);
    this.heardAt = heardAt;
    this.#staleTimer = setTimeout(() => this.#setState("stale"), SAVED_VIEW_MS);
    this.dispatchEvent(new Event("view"));
  }

  /**
   * Judge the view by its age, after the page or the device may have slept: the timers stood still meanwhile, and a dead
   * connection gives no event. An old view is stale at once, and a connection that is late, or lost, is opened again.
   */
  wake() {
    if (!this.#following) return;
    const silentMs = Date.now() - this.#heardOn;
    const { heartbeatMs } = this.view;
    if (this.state === "live" && silentMs < LATE_HEARTBEATS * heartbeatMs) return;
    if (this.state === "live" && silentMs >= MISSED_HEARTBEATS * heartbeatMs) this.#setState("stale");
    if (Date.now() - this.#openedAt >= FIRST_DELAY_MS) this.open();
  }

  /** Close the connection for good. */
  close() {
    this.#following = false;
    this.#shut();
    clearTimeout(this.#staleTimer);
    this.#staleTimer = undefined;
  }

  /** Return the server's time in milliseconds: the browser's clock, corrected by the server's heartbeats. */
  now() {
    return Date.now() + this.#aheadMs;
  }

  /**
   * Tell the server that the view is on the screen, and the health of the screen. Displays and kiosks do it, so that
   * reception can watch them. It is sent at once, but not more often than every two seconds.
   *
   * @param {Health} health
   */
  reportPainted(health) {
    this.#health = health;
    if (this.#ack !== undefined) return;
    const rest = Math.max(0, this.#ackedAt + ACK_MS - Date.now());
    this.#ack = setTimeout(() => {
      this.#ack = undefined;
      this.#ackedAt = Date.now();
      if (this.#heard && this.#health !== null) this.#report("ack", { seq: this.view.seq, ...this.#health });
    }, rest);
  }

  /**
   * Send a message to the server: on the WebSocket, or as a request beside the events. A lost message does no harm.
   *
   * @param {"ack" | "disagreement"} type
   * @param {{seq: number}} body
   */
  #report(type, body) {
    if (this.#send !== null) {
      this.#send(JSON.stringify({ type, ...body }));
      return;
    }
    const [path, query] = this.#address.split("?");
    const address = query === undefined ? `${path}/${type}` : `${path}/${type}?${query}`;
    const headers = { "Content-Type": "application/json" };
    fetch(address, { method: "POST", headers, body: JSON.stringify(body), keepalive: true }).catch(() => {});
  }

  /** The address, with the id of the last message if there is one. */
  #resumeAddress() {
    if (this.#lastId === null) return this.#address;
    return `${this.#address}${this.#address.includes("?") ? "&" : "?"}last_event_id=${encodeURIComponent(this.#lastId)}`;
  }

  /**
   * @param {string} type
   * @param {string | null} id
   * @param {any} message
   */
  #take(type, id, message) {
    this.#heard = true;
    if (type === "bye") {
      if (message.reason === "ended") this.close(); // the view is final and stays
      else this.#openLater(message.reason === "revoked" ? REVOKED_DELAY_MS : message.retry_ms);
      return;
    }
    if (this.#proving) {
      this.#proving = false;
      remember(BLOCKED, String(Date.now()));
    }
    this.#heardOn = Date.now();
    if (typeof message.at === "number") this.#aheadMs = message.at - this.#heardOn;
    this.heardAt = this.now();
    const before = this.view;
    this.view = apply(before, type, message);
    if (this.view.cells !== before.cells) learnFrom(this.view.cells);
    this.#lastId = id;
    if (type === "heartbeat" && digest(this.view.cells) !== message.digest) {
      this.#disagree();
      return;
    }
    clearTimeout(this.#staleTimer);
    this.#startStaleTimer();
    this.#restartWatch();
    if (this.view.cells !== before.cells) this.dispatchEvent(new Event("view"));
    this.#setState("live");
  }

  /** The view differs from the server's: report it, and reconnect for a fresh snapshot. */
  #disagree() {
    this.disagreements += 1;
    this.#report("disagreement", { seq: this.view.seq });
    this.#lastId = null;
    this.#lost();
    this.dispatchEvent(new Event("disagreement"));
  }

  #lost() {
    const lasted = this.#heard && Date.now() - this.#openedAt >= this.view.heartbeatMs;
    this.#losses = lasted ? 0 : this.#losses + 1;
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(this.#losses, 10));
    this.#openLater(Math.random() * longest); // full jitter: a thousand screens may reconnect at the same moment
  }

  /** Open the stream as events, because the server answers but WebSocket does not work. */
  #openEvents() {
    this.#eventsNext = true;
    this.open();
  }

  /** @param {number} delayMs */
  #openLater(delayMs) {
    this.#shut();
    if (this.state === "live") this.#setState("connecting");
    this.#next = setTimeout(() => this.open(), delayMs);
  }

  /** @param {number} status */
  #refused(status) {
    this.close();
    this.refusal = status;
    this.#setState("refused");
  }

  /** Reconnect after two and a half heartbeats of silence: the connection is dead, even if the browser does not notice. */
  #restartWatch() {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => {
      if (this.#send !== null && !this.#heard) this.#openEvents(); // a proxy lets the handshake through, but no frames
      else this.#lost();
    }, MISSED_HEARTBEATS * this.view.heartbeatMs);
  }

  /** Become stale after the same time without a message. Attempts to reconnect do not put this off. */
  #startStaleTimer() {
    this.#staleTimer = setTimeout(() => this.#setState("stale"), MISSED_HEARTBEATS * this.view.heartbeatMs);
  }

  #shut() {
    this.#close();
    this.#close = () => {};
    this.#send = null;
    clearTimeout(this.#ack);
    this.#ack = undefined;
    clearTimeout(this.#next);
    clearTimeout(this.#watch);
  }

  /** @param {State} state */
  #setState(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}

/**
 * Follow an address from now on, as `startFollowing` does.
 *
 * @param {string} address
 * @param {{view: View, at: number} | null} [saved]  a saved view, and when the server last confirmed it (milliseconds)
 * @returns {Connection}
 */
export function follow(address, saved = null) {
  const connection = new Connection(address);
  if (saved !== null) Object.assign(connection, { view: saved.view, heardAt: saved.at });
  startFollowing(connection);
  return connection;
}

/**
 * Open a connection, and wake it whenever the page may have slept or the network may be back.
 *
 * @param {Connection} connection
 */
export function startFollowing(connection) {
  const wake = () => connection.wake();
  for (const type of ["online", "pageshow", "focus"]) window.addEventListener(type, wake);
  for (const type of ["visibilitychange", "resume"]) document.addEventListener(type, wake);
  // A device may sleep and wake without an event. Then a timer is late.
  let before = Date.now();
  setInterval(() => {
    const now = Date.now();
    if (now - before > SLEPT_MS) wake();
    before = now;
  }, LOOK_MS);
  // The number is in the DOM, where a monitor of the screens can read it.
  connection.addEventListener("disagreement", () => {
    document.body.dataset.disagreements = String(connection.disagreements);
  });
  connection.open();
}

/**
 * The cells of the site, of a ticket and of an appointment have the offsets of the site's clock.
 *
 * @param {import("./view.js").Cells} cells
 */
function learnFrom(cells) {
  for (const key of ["site", "ticket", "appointment"]) learnOffsets(cells.get(key));
}
