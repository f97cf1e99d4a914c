import { openEvents, openFrames } from "./transports.js";
import { EMPTY, apply, digest } from "./view.js";

/**
 * @typedef {import("./view.js").View} View
 * @typedef {"connecting" | "live" | "stale" | "refused"} State
 *   `connecting`: not live, for less than two and a half heartbeats; `stale`: for longer; `refused`: and not trying again
 */

const MISSED_HEARTBEATS = 2.5;
const ACK_MS = 2_000;
const JUDGED_ANEW_MS = 500;
const RECALLED_MS = 4_000;
const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;

/**
 * Follows a live address for as long as the page is open, through whatever happens to the network and the server.
 *
 * Events: `view` after the view changed, `state` after the state did, `disagreement` when the server's digest was not
 * ours (a fresh snapshot is on its way). What they tell is read from the properties.
 */
export class Connection extends EventTarget {
  /** What the server last told us. @type {View} */
  view = EMPTY;
  /** @type {State} */
  state = "connecting";
  /** When we last heard from the server, in the server's time (milliseconds). */
  heardAt = Date.now();
  /** The status that refused us: 401, 403 or 404. @type {number | null} */
  refusal = null;
  /** How often what we showed was not the truth. It should stay 0. */
  disagreements = 0;

  #address;
  #websocket;
  /** @type {string | null} */
  #lastId = null;
  #aheadMs = 0; // how far the server's clock is ahead of ours
  #losses = 0;
  #openedAt = 0;
  #heard = false;
  #close = () => {};
  /** How to say something on the connection itself, where it takes that. @type {((text: string) => void) | null} */
  #say = null;
  /** @type {{muted: boolean, version: string} | null} */
  #health = null;
  #ackedAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #ack;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #next;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #watch;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #doubt;

  /**
   * @param {string} address  same-origin, such as `/live/sites/1/desk`
   * @param {{transport?: "events" | "websocket"}} [options]
   */
  constructor(address, { transport = "events" } = {}) {
    super();
    this.#address = address;
    this.#websocket = transport === "websocket";
  }

  /** Begin, or begin anew at once: after a refusal that may be over, or when the network is back. */
  open() {
    this.#shut();
    this.refusal = null;
    if (this.state === "refused") this.#become("connecting");
    if (this.#doubt === undefined) this.#doubtLater();
    this.#openedAt = Date.now();
    this.#heard = false;
    this.#watchAnew();
    const open = this.#websocket ? openFrames : openEvents;
    this.#close = open(this.#resuming(), {
      message: (type, id, text) => this.#take(type, id, JSON.parse(text)),
      ready: (say) => (this.#say = say),
      lost: () => this.#lost(),
      refused: (status) => this.#refused(status),
    });
  }

  /**
   * Show what was kept from before, until the server says what is so: before the first `open`. If it says nothing for a
   * moment, what is shown is `stale`.
   *
   * @param {Pick<View, "cells" | "seq">} view
   * @param {number} heardAt  when it was true
   */
  showSaved({ cells, seq }, heardAt) {
    this.view = { ...this.view, cells, seq };
    this.heardAt = heardAt;
    this.#doubt = setTimeout(() => this.#become("stale"), RECALLED_MS);
    this.dispatchEvent(new Event("view"));
  }

  /** Stop following. */
  close() {
    this.#shut();
    clearTimeout(this.#doubt);
    this.#doubt = undefined;
  }

  /** Return the server's time in milliseconds: our own clock, put right by its heartbeats. */
  now() {
    return Date.now() + this.#aheadMs;
  }

  /**
   * Let the server know that what it sent is on the screen, and how the screen is: for displays, whose desk watches over
   * them. It is said at once, but every two seconds at most.
   *
   * @param {{muted: boolean, version: string}} health
   */
  reportPainted(health) {
    this.#health = health;
    if (this.#ack !== undefined) return;
    const rest = Math.max(0, this.#ackedAt + ACK_MS - Date.now());
    this.#ack = setTimeout(() => {
      this.#ack = undefined;
      this.#ackedAt = Date.now();
      if (this.#heard && this.#health !== null) this.#tell("ack", { seq: this.view.seq, ...this.#health });
    }, rest);
  }

  /**
   * Say something back: on the WebSocket, or beside the events by a request. Whether it arrives is of no matter here.
   *
   * @param {"ack" | "disagreement"} type
   * @param {{seq: number}} body
   */
  #tell(type, body) {
    if (this.#say !== null) {
      this.#say(JSON.stringify({ type, ...body }));
      return;
    }
    const [path, query] = this.#address.split("?");
    const address = query === undefined ? `${path}/${type}` : `${path}/${type}?${query}`;
    const headers = { "Content-Type": "application/json" };
    fetch(address, { method: "POST", headers, body: JSON.stringify(body), keepalive: true }).catch(() => {});
  }

  #resuming() {
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
      if (message.reason === "ended") this.close(); // what we show was the last of it, and is true
      else this.#again(message.reason === "revoked" ? JUDGED_ANEW_MS : message.retry_ms);
      return;
    }
    if (typeof message.at === "number") this.#aheadMs = message.at - Date.now();
    this.heardAt = this.now();
    const before = this.view;
    this.view = apply(before, type, message);
    this.#lastId = id;
    if (type === "heartbeat" && digest(this.view.cells) !== message.digest) {
      this.#disagree();
      return;
    }
    clearTimeout(this.#doubt);
    this.#doubtLater();
    this.#watchAnew();
    if (this.view.cells !== before.cells) this.dispatchEvent(new Event("view"));
    this.#become("live");
  }

  /** We show something that is not so: ask for everything, and let it be known. */
  #disagree() {
    this.disagreements += 1;
    this.#tell("disagreement", { seq: this.view.seq });
    this.#lastId = null;
    this.#lost();
    this.dispatchEvent(new Event("disagreement"));
  }

  #lost() {
    if (this.#websocket && !this.#heard) this.#websocket = false; // a proxy in between may let only plain HTTP through
    const lasted = this.#heard && Date.now() - this.#openedAt >= this.view.heartbeatMs;
    this.#losses = lasted ? 0 : this.#losses + 1;
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(this.#losses, 10));
    this.#again(Math.random() * longest); // full jitter: a thousand screens lost us at the same moment
  }

  /** @param {number} delayMs */
  #again(delayMs) {
    this.#shut();
    if (this.state === "live") this.#become("connecting");
    this.#next = setTimeout(() => this.open(), delayMs);
  }

  /** @param {number} status */
  #refused(status) {
    this.close();
    this.refusal = status;
    this.#become("refused");
  }

  /** A connection that is silent for too long is dead, whatever the browser thinks of it. */
  #watchAnew() {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#lost(), MISSED_HEARTBEATS * this.view.heartbeatMs);
  }

  /** After as long without a word, through however many attempts, what we show may not be true any more. */
  #doubtLater() {
    this.#doubt = setTimeout(() => this.#become("stale"), MISSED_HEARTBEATS * this.view.heartbeatMs);
  }

  #shut() {
    this.#close();
    this.#close = () => {};
    this.#say = null;
    clearTimeout(this.#ack);
    this.#ack = undefined;
    clearTimeout(this.#next);
    clearTimeout(this.#watch);
  }

  /** @param {State} state */
  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}

/**
 * Follow an address, at once, and again at once whenever the network comes back.
 *
 * @param {string} address
 * @param {{view: View, at: number} | null} [kept]  what was shown before, and when it was true: it stays until there is news
 * @returns {Connection}
 */
export function follow(address, kept = null) {
  const connection = new Connection(address);
  if (kept !== null) Object.assign(connection, { view: kept.view, heardAt: kept.at });
  startFollowing(connection);
  return connection;
}

/**
 * The same with a connection that is there already.
 *
 * @param {Connection} connection
 */
export function startFollowing(connection) {
  window.addEventListener("online", () => connection.state !== "refused" && connection.state !== "live" && connection.open());
  // Left where whoever watches over the screens can see it.
  connection.addEventListener("disagreement", () => {
    document.body.dataset.disagreements = String(connection.disagreements);
  });
  connection.open();
}
