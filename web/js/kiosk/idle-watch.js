export const IDLE_MS = 60_000;
export const WARNING_S = 30;
const SECOND_MS = 1_000;

/** Notices that the person has gone: after a minute it warns for half a minute, and then ends. */
export class IdleWatch {
  #warn;
  #end;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** The instant of the last sign of a person, or null while nobody is expected. @type {number | null} */
  #since = null;

  /**
   * @param {(secondsLeft: number | null) => void} warn  shows the warning with its seconds; null takes it away
   * @param {() => void} end
   */
  constructor(warn, end) {
    this.#warn = warn;
    this.#end = end;
  }

  /** A person is here. */
  sign() {
    if (this.#since === null) return;
    this.start();
  }

  /** Begin to watch. */
  start() {
    clearTimeout(this.#timer);
    this.#warn(null);
    this.#since = Date.now();
    this.#timer = setTimeout(() => this.#tick(), IDLE_MS);
  }

  /** Stop to watch. */
  stop() {
    clearTimeout(this.#timer);
    this.#since = null;
    this.#warn(null);
  }

  #tick() {
    if (this.#since === null) return;
    const left = Math.ceil((this.#since + IDLE_MS + WARNING_S * SECOND_MS - Date.now()) / SECOND_MS);
    if (left <= 0) {
      this.stop();
      this.#end();
      return;
    }
    this.#warn(Math.min(left, WARNING_S));
    this.#timer = setTimeout(() => this.#tick(), SECOND_MS);
  }
}
