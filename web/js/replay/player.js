/** The replay of one screen: a position in the log, the cells there, and the time of the replay. */

import { CommandFailed } from "../shared/commands.js";
import { ask } from "../shared/staff-requests.js";
import { withOffset } from "./instants.js";

/**
 * @typedef {{seq: number, at: number, type: string, label: string | null}} Happened
 * @typedef {Happened & {set: Record<string, any>, gone: string[]}} Followed
 * @typedef {object} Moment  as the server answers
 * @property {string} screen
 * @property {number} seq
 * @property {number} at
 * @property {string} business_day
 * @property {number} begins
 * @property {number} turns
 * @property {number} last
 * @property {string} time_zone
 * @property {import("../shared/i18n.js").OffsetSince[]} offsets
 * @property {Record<string, any>} cells
 * @property {Happened[]} before
 * @property {Followed[]} following
 * @property {{screen: string, name: string}[]} screens
 *
 * @typedef {(told: import("../replay-frame/frame.js").Told) => unknown} Tell
 */

const FOLLOWING = 100;
const LOW = 30;
const LISTED = 10;
const TICK_MS = 250;

/**
 * Plays one screen. Events: `change` after the position, the time or the playing has changed; `failed` with `error` set.
 */
export class Player extends EventTarget {
  /** @type {Moment | null} */
  moment = null;
  seq = 0;
  now = 0;
  playing = false;
  speed = 1;
  /** The last events, the newest last. @type {Happened[]} */
  passed = [];
  /** @type {Followed[]} */
  coming = [];
  /** @type {unknown} */
  error = null;
  #siteId;
  #screen;
  #tell;
  /** @type {Promise<void> | null} */
  #loading = null;
  #asked = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /**
   * @param {number} siteId
   * @param {string} screen
   * @param {Tell} tell  draws a view
   */
  constructor(siteId, screen, tell) {
    super();
    this.#siteId = siteId;
    this.#screen = screen;
    this.#tell = tell;
  }

  /** Show an instant. @param {number} at  milliseconds @param {number} [minutes]  the offset there */
  async goTo(at, minutes = 0) {
    await this.#show(`at=${encodeURIComponent(withOffset(at, minutes))}`, at);
  }

  /** Show the next event. */
  async forward() {
    this.pause();
    if (this.coming.length === 0) await this.#load();
    const next = this.coming[0];
    if (next === undefined) return;
    this.now = next.at;
    this.#take(1);
  }

  /** Show the state before the last event. */
  async back() {
    this.pause();
    if (this.seq > 1) await this.#show(`number=${this.seq - 1}`, null);
  }

  play() {
    if (this.playing || this.moment === null) return;
    this.playing = true;
    let before = performance.now();
    this.#timer = setInterval(() => {
      const passed = performance.now() - before;
      before += passed;
      this.#run(passed * this.speed);
    }, TICK_MS);
    this.#changed();
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    clearInterval(this.#timer);
    this.#changed();
  }

  /** End the replay. */
  close() {
    this.pause();
    this.#asked += 1;
  }

  /** Let time pass. @param {number} milliseconds */
  #run(milliseconds) {
    if (this.#loading !== null && this.coming.length === 0) return; // time stands still until the events are here
    const last = this.coming.at(-1);
    const known = (this.moment?.last ?? 0) <= (last?.seq ?? this.seq) ? Date.now() : (last?.at ?? this.now);
    this.now = Math.min(this.now + milliseconds, known);
    this.#take(this.coming.filter(({ at }) => at <= this.now).length);
    if (this.coming.length < LOW) void this.#load();
    if (this.coming.length === 0 && this.#loading === null && this.now >= known) this.pause();
  }

  /** Take the next events into the view. @param {number} count */
  #take(count) {
    /** @type {Record<string, any>} */
    const set = {};
    const gone = new Set();
    let turned = false;
    for (const event of this.coming.splice(0, count)) {
      turned ||= event.type === "day-turned";
      for (const key of event.gone) {
        delete set[key];
        gone.add(key);
      }
      for (const [key, cell] of Object.entries(event.set)) {
        set[key] = cell;
        gone.delete(key);
      }
      this.seq = event.seq;
      this.passed = [...this.passed, event].slice(-LISTED);
    }
    this.#tell({ set, del: [...gone], seq: this.seq, now: this.now });
    this.#changed();
    if (turned) void this.#show(`number=${this.seq}`, this.now); // another business day has another begin and end
  }

  /** Load more of the events after the last one that is known. */
  #load() {
    const last = this.coming.at(-1)?.seq ?? this.seq;
    if (this.moment !== null && last >= this.moment.last) return Promise.resolve();
    this.#loading ??= this.#more(last).finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  /** @param {number} last */
  async #more(last) {
    const asked = this.#asked;
    const found = await this.#ask(`number=${last}`);
    if (found === null || asked !== this.#asked) return;
    this.coming.push(...found.following);
    if (this.moment !== null) this.moment = { ...this.moment, last: found.last };
  }

  /**
   * @param {string} where
   * @param {number | null} at  the time to show; null for that of the last event
   */
  async #show(where, at) {
    this.#asked += 1;
    const asked = this.#asked;
    const found = await this.#ask(where);
    if (found === null || asked !== this.#asked) return;
    this.moment = found;
    this.seq = found.seq;
    this.now = at ?? found.at;
    this.passed = found.before;
    this.coming = found.following;
    this.#tell({ cells: found.cells, seq: this.seq, now: this.now });
    this.#changed();
  }

  /**
   * @param {string} where
   * @returns {Promise<Moment | null>}
   */
  async #ask(where) {
    const address = `/api/v1/sites/${this.#siteId}/past?screen=${encodeURIComponent(this.#screen)}&following=${FOLLOWING}&${where}`;
    try {
      const { body, error } = await ask(address);
      if (error !== undefined) throw new CommandFailed(error.code, error.message ?? "", error.details);
      this.error = null;
      return body;
    } catch (error) {
      this.error = error instanceof CommandFailed ? error : new CommandFailed("unreachable", "");
      this.pause();
      this.dispatchEvent(new Event("failed"));
      return null;
    }
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
