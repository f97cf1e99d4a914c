import { CommandFailed, send } from "../commands.js";

/**
 * @typedef {import("../commands.js").Answer} Answer
 * @typedef {{entry: number, label: string, step: string, until: number}} Step  what can be taken back, until when
 */

const UNDO_MS = 60_000;
const UNDOABLE = new Set([
  "call-next", "call", "start", "complete", "no-show", "transfer", "hold", "return", "leave", "cancel", "reprioritise",
  "move", "running-late", "reopen",
]);

/**
 * Sends a screen's commands one at a time, and knows the last one that can be taken back.
 *
 * Events: `change` when it begins or ends one.
 */
export class Orders extends EventTarget {
  /** The command under way, or nothing. */
  doing = "";
  /** @type {Step | null} */
  last = null;

  #now;
  #signedOut;
  /** What was pressed meanwhile. @type {(() => void) | null} */
  #then = null;

  /**
   * @param {{now: () => number, signedOut: () => void}} by  the server's time; what to do when nobody is signed in any more
   */
  constructor({ now, signedOut }) {
    super();
    this.#now = now;
    this.#signedOut = signedOut;
  }

  /**
   * Send a command whatever else is under way. Throws `CommandFailed`.
   *
   * @param {string} name
   * @param {Record<string, unknown>} body
   * @returns {Promise<Answer>}
   */
  async send(name, body) {
    try {
      return await send(name, body);
    } catch (error) {
      if (error instanceof CommandFailed && error.code === "not_signed_in") this.#signedOut();
      throw error;
    }
  }

  /**
   * Do a command. One at a time: the same pressed again means the first, another one waits its turn. `again` is how to press it
   * then, by what is true by then; null is returned for what was not sent.
   *
   * @param {string} name
   * @param {Record<string, unknown>} body
   * @param {() => void} again
   * @returns {Promise<Answer | null>}
   */
  async act(name, body, again) {
    if (this.doing) {
      if (name !== this.doing) this.#then = again;
      return null;
    }
    this.#become(name);
    try {
      const answer = await this.send(name, body);
      const entry = Number(body.entry_id ?? answer.entry?.id);
      if (name === "undo") this.last = null;
      else if (UNDOABLE.has(name)) {
        const { type = "", label = "" } = answer.events.at(-1) ?? {};
        this.last = { entry, label, step: type, until: this.#now() + UNDO_MS };
      }
      return answer;
    } finally {
      this.#become("");
      const then = this.#then;
      this.#then = null;
      // The answer has to be said first: it is said when this promise is kept.
      if (then !== null) setTimeout(then);
    }
  }

  /** @param {string} name */
  #become(name) {
    this.doing = name;
    this.dispatchEvent(new Event("change"));
  }
}
