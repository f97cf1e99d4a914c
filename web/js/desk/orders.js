import { CommandFailed, enterPairingCode, sendCommand } from "../shared/commands.js";

/**
 * @typedef {import("../shared/commands.js").Answer} Answer
 * @typedef {import("../live/connection.js").Connection} Connection
 * @typedef {{entry: number, label: string, step: string, until: number}} Step  what can be taken back, until when
 */

const UNDO_MS = 60_000;
const SHOWN_MS = 1_000;
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

  #connection;
  #signedOut;
  /** What was pressed meanwhile. @type {(() => void) | null} */
  #then = null;

  /**
   * @param {Connection} connection  what the screen shows
   * @param {() => void} signedOut    what to do when nobody is signed in any more
   */
  constructor(connection, signedOut) {
    super();
    this.#connection = connection;
    this.#signedOut = signedOut;
  }

  /**
   * Send a command whatever else is under way. Throws `CommandFailed`.
   *
   * @param {string} name
   * @param {Record<string, unknown>} body
   * @returns {Promise<Answer>}
   */
  send(name, body) {
    return this.#asked(sendCommand(name, body));
  }

  /**
   * Pair a device with the screen that shows a code. Throws `CommandFailed`.
   *
   * @param {string} code
   * @param {number} deviceId
   */
  enterCode(code, deviceId) {
    return this.#asked(enterPairingCode(code, deviceId));
  }

  /**
   * @template T
   * @param {Promise<T>} asked
   * @returns {Promise<T>}
   */
  async #asked(asked) {
    try {
      return await asked;
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
      if (name !== this.doing) this.later(again);
      return null;
    }
    this.#become(name);
    try {
      const answer = await this.send(name, body);
      const entry = Number(body.entry_id ?? answer.entry?.id);
      if (name === "undo") this.last = null;
      else if (UNDOABLE.has(name)) {
        const { type = "", label = "" } = answer.events.at(-1) ?? {};
        this.last = { entry, label, step: type, until: this.#connection.now() + UNDO_MS };
      }
      await this.#shown(answer.seq);
      return answer;
    } finally {
      this.#goOn();
    }
  }

  /**
   * Do something when the command under way is done, instead of what was to be done then before.
   *
   * @param {() => void} press
   */
  later(press) {
    this.#then = press;
  }

  /** Do what was pressed meanwhile. Until then it is still busy: a key that is pressed just now is not lost. */
  #goOn() {
    const then = this.#then;
    this.#then = null;
    if (then === null) {
      this.#become("");
      return;
    }
    // The answer has to be said first: it is said when the promise is kept.
    setTimeout(() => {
      this.#become("");
      then();
      if (!this.doing) this.#goOn();
    });
  }

  /**
   * Wait until the screen shows what was done: whoever reads that it is may press the next key at once.
   *
   * @param {number} seq
   * @returns {Promise<void>}
   */
  #shown(seq) {
    const connection = this.#connection;
    return new Promise((resolve) => {
      const timer = setTimeout(end, SHOWN_MS);
      const look = () => {
        if (connection.view.seq >= seq || connection.state !== "live") end();
      };
      function end() {
        clearTimeout(timer);
        connection.removeEventListener("view", look);
        resolve();
      }
      connection.addEventListener("view", look);
      look();
    });
  }

  /** @param {string} name */
  #become(name) {
    this.doing = name;
    this.dispatchEvent(new Event("change"));
  }
}
