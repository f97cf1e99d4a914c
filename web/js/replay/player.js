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
  /** Whether the steps pass over events that do not change this screen. */
  changesOnly = true;
  /** The last events, the newest last. @type {Happened[]} */
  passed = [];
  /** @type {Followed[]} */
  coming = [];
  /** @type {unknown} */
  error = null;
  #siteId;
  #screen;
  #tell;
  #date;
  /** @type {Promise<void> | null} */
  #loading = null;
  #asked = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /**
   * @param {number} siteId
   * @param {string} screen
   * @param {Tell} tell  draws a view
   * @param {string | null} [date]  of a calendar: the shown date; null for that of the instant
   */
  constructor(siteId, screen, tell, date = null) {
    super();
    this.#date = date;
    this.#siteId = siteId;
    this.#screen = screen;
    this.#tell = tell;
  }

  get screen() {
    return this.#screen;
  }

  /** Show an instant. @param {number} at  milliseconds @param {number} [minutes]  the offset there */
  async goTo(at, minutes = 0) {
    await this.#show(`at=${encodeURIComponent(withOffset(at, minutes))}`, at);
  }

  /** Show the next event: of this screen, or of the whole log. */
  async forward() {
    this.pause();
    for (;;) {
      if (this.coming.length === 0) await this.#load();
      const found = this.coming.findIndex((each) => this.#counts(each));
      const count = found < 0 ? this.coming.length : found + 1;
      const last = this.coming[count - 1];
      if (last === undefined) return;
      this.now = last.at;
      const turned = this.#take(count);
      if (found >= 0) return;
      await turned;
    }
  }

  /** Show the state before the last event: of this screen, or of the whole log. */
  async back() {
    this.pause();
    if (this.seq <= 1) return;
    if (this.changesOnly) await this.#show(`number=${this.seq}&step=before-change`, null);
    else await this.#show(`number=${this.seq - 1}`, null);
  }

  /** @param {Followed} event */
  #counts({ set, gone }) {
    return !this.changesOnly || gone.length > 0 || Object.keys(set).length > 0;
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
    void this.#take(this.coming.filter(({ at }) => at <= this.now).length);
    if (this.coming.length < LOW) void this.#load();
    if (this.coming.length === 0 && this.#loading === null && this.now >= known) this.pause();
  }

  /** Take the next events into the view. Resolves when it shows them, also after a turn of the day. @param {number} count */
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
    return turned ? this.#show(`number=${this.seq}`, this.now) : Promise.resolve(); // another business day has another begin and end
  }

  /** Load more of the events after the last one that is known. */
  #load() {
    const last = this.coming.at(-1)?.seq ?? this.seq;
    if (this.moment !== null && last >= this.moment.last) return Promise.resolve();
    if (this.coming.some(({ type }) => type === "day-turned")) return Promise.resolve(); // the view begins again there
    this.#loading ??= this.#more(last).finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  /** @param {number} last */
  async #more(last) {
    const asked = this.#asked;
    const found = await this.#ask(`number=${last}`, this.#shownDate);
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

  /** The date that a calendar shows now. */
  get #shownDate() {
    const day = Object.keys(this.moment?.cells ?? {}).find((key) => key.startsWith("day:"));
    return this.#screen === "calendar" ? (day?.slice(4) ?? this.#date) : null;
  }

  /**
   * @param {string} where
   * @param {string | null} [date]
   * @returns {Promise<Moment | null>}
   */
  async #ask(where, date = this.#date) {
    const dated = this.#screen === "calendar" && date !== null ? `&date=${date}` : "";
    const address = `/api/v1/sites/${this.#siteId}/past?screen=${encodeURIComponent(this.#screen)}${dated}&following=${FOLLOWING}&${where}`;
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
