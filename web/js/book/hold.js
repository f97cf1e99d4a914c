/** A time that the server keeps for the visitor. It is kept longer once, by itself, while somebody sees the page. */

/**
 * @typedef {import("./asking.js").Asking} Asking
 * @typedef {import("./asking.js").Wish} Wish
 * @typedef {{token: string, until: number, extended: boolean}} Kept  `until`: by the browser's clock
 */

const EXTEND_MS = 60_000;
const LONGER_MS = 600_000; // the server's
const LOOK_MS = 1_000;

/** Event: `change` when the remaining minutes have changed, and when the hold is over. */
export class Hold extends EventTarget {
  #asking;
  /** @type {Kept | null} */
  #kept;
  /** @type {Wish | null} */
  #wish = null;
  #minutes = -1;
  #extending = false;
  /** When the server was first asked to keep the time longer and gave no answer: it may have done so. 0 for never. */
  #unanswered = 0;
  #now;

  /**
   * @param {Asking} asking
   * @param {Kept | null} kept  of the page before a reload
   * @param {() => number} [now]
   */
  constructor(asking, kept, now = Date.now) {
    super();
    this.#asking = asking;
    this.#kept = kept;
    this.#now = now;
    setInterval(() => void this.look(), LOOK_MS);
  }

  /** What the tab has to remember. */
  get kept() {
    return this.#kept;
  }

  /** The token with which the time is booked, while it is kept. @returns {string | null} */
  get token() {
    return this.isOver ? null : (this.#kept?.token ?? null);
  }

  /** Whether there was a hold that is over. */
  get isOver() {
    return this.#kept !== null && this.#kept.until <= this.#now();
  }

  /** The remaining minutes, the begun one included. @returns {number} */
  get minutes() {
    return this.#kept === null ? 0 : Math.max(0, Math.ceil((this.#kept.until - this.#now()) / 60_000));
  }

  /** Keep a time. Throws `Refused`. @param {Wish} wish */
  async take(wish) {
    this.#wish = wish;
    const held = await this.#asking.hold({ ...wish, hold_token: null });
    this.#kept = { token: held.hold_token, until: this.#now() + held.held_until - held.now, extended: false };
    this.#minutes = -1;
    this.#unanswered = 0;
    await this.look();
  }

  /** Go on with the hold of the page before a reload. @param {Wish} wish */
  resume(wish) {
    this.#wish = wish;
  }

  /** Give the time back. */
  async release() {
    const { token } = this;
    this.#kept = this.#wish = null;
    if (token !== null) await this.#asking.release(token);
  }

  /** Look at the clock. */
  async look() {
    if (this.#kept === null) return;
    const left = this.#kept.until - this.#now();
    if (left > 0 && left < EXTEND_MS && !this.#kept.extended && document.visibilityState === "visible") await this.#extend();
    if (this.minutes === this.#minutes) return;
    this.#minutes = this.minutes;
    this.dispatchEvent(new Event("change"));
  }

  async #extend() {
    const kept = this.#kept;
    if (this.#extending || kept === null || this.#wish === null) return;
    this.#extending = true;
    const asked = this.#now();
    try {
      const held = await this.#asking.hold({ ...this.#wish, hold_token: kept.token });
      if (this.#kept === kept) this.#kept = { token: kept.token, until: this.#now() + held.held_until - held.now, extended: true };
    } catch (error) {
      // Without a network the next second tries again. The server keeps a time longer once.
      const { code } = /** @type {{code?: string}} */ (error);
      if (code === "unreachable") this.#unanswered ||= asked;
      else if (this.#kept === kept) {
        const since = code === "hold_not_extended" ? this.#unanswered : 0;
        this.#kept = { ...kept, until: since === 0 ? kept.until : since + LONGER_MS, extended: true };
      }
    } finally {
      this.#extending = false;
    }
  }
}
