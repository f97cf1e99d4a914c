import { CommandFailed, enterPairingCode, sendCommand } from "../shared/commands.js";

/**
 * @typedef {import("../shared/commands.js").Answer} Answer
 * @typedef {import("../live/connection.js").Connection} Connection
 * @typedef {{entry: number, label: string, step: string, until: number}} Step  what can be undone, and until when
 *   (milliseconds). The step `delay-announced` has no entry
 */

/** The command that notes that staff have told a patient what a message did not. Sent again with `told: false`, it takes that back. */
export const CLEAR = "clear-unreached";
const UNDO_MS = 60_000;
const SHOWN_MS = 1_000;
const UNDOABLE = new Set([
  "call-next", "call", "start", "complete", "no-show", "transfer", "hold", "return", "leave", "cancel", "reprioritise",
  "move", "running-late", "reopen", "check-in",
]);

/**
 * Sends a screen's commands one at a time, and knows the last command that can be undone.
 *
 * Event: `change` when a command starts or ends.
 */
export class Orders extends EventTarget {
  /** The name of the command in progress, or "". */
  doing = "";
  /** @type {Step | null} */
  last = null;

  #connection;
  #signedOut;
  /** The button that was pressed during the command in progress. @type {(() => void) | null} */
  #next = null;

  /**
   * @param {Connection} connection  the screen's own
   * @param {() => void} signedOut    called when the server says that the session is over
   */
  constructor(connection, signedOut) {
    super();
    this.#connection = connection;
    this.#signedOut = signedOut;
  }

  /**
   * Send a command at once, even if another one is in progress. Throws `CommandFailed`.
   *
   * @param {string} name
   * @param {Record<string, unknown>} body
   * @returns {Promise<Answer>}
   */
  send(name, body) {
    return this.#watched(sendCommand(name, body));
  }

  /**
   * Pair a device with the screen that shows a code. Throws `CommandFailed`.
   *
   * @param {string} code
   * @param {number} deviceId
   */
  enterCode(code, deviceId) {
    return this.#watched(enterPairingCode(code, deviceId));
  }

  /**
   * Call `signedOut` if the answer is that the session is over.
   *
   * @template T
   * @param {Promise<T>} asked
   * @returns {Promise<T>}
   */
  async #watched(asked) {
    try {
      return await asked;
    } catch (error) {
      if (error instanceof CommandFailed && error.code === "not_signed_in") this.#signedOut();
      throw error;
    }
  }

  /**
   * Send a command and wait until the screen shows its effect. Throws `CommandFailed`.
   *
   * Only one command is in progress. The same command again does nothing; another command waits until the first has ended.
   * Returns null for a command that was not sent.
   *
   * @param {string} name
   * @param {Record<string, unknown>} body
   * @param {() => void} again  presses the button again when its turn comes, with the state of that moment
   * @returns {Promise<Answer | null>}
   */
  async act(name, body, again) {
    if (this.doing) {
      if (name !== this.doing) this.later(again);
      return null;
    }
    this.#setDoing(name);
    try {
      const answer = await this.send(name, body);
      const entry = Number(body.entry_id ?? answer.entry?.id);
      if (name === "undo" || name === "withdraw-delay" || body.told === false) this.last = null;
      else if (name === CLEAR) {
        this.last = { entry: Number(body.subject_id), label: answer.entry?.label ?? "", step: CLEAR, until: this.#connection.now() + UNDO_MS };
      } else if (UNDOABLE.has(name) || name === "announce-delay") {
        const { type = "", label = "" } = answer.events.at(-1) ?? {};
        this.last = { entry: entry || 0, label, step: type, until: this.#connection.now() + UNDO_MS };
      }
      await untilShown(this.#connection, answer.seq);
      return answer;
    } finally {
      this.#continue();
    }
  }

  /** Give the last step, of an appointment, the name of its patient. @param {string} label */
  nameLast(label) {
    if (this.last !== null) this.last = { ...this.last, label };
  }

  /**
   * Take back a step, as `act` does.
   *
   * @param {Step} step
   * @param {() => void} again
   */
  takeBack({ entry, step }, again) {
    return step === CLEAR ? this.act(CLEAR, { subject_id: entry, told: false }, again) : this.act("undo", { entry_id: entry }, again);
  }

  /**
   * Press a button when the command in progress has ended. It replaces a button that waits already.
   *
   * @param {() => void} press
   */
  later(press) {
    this.#next = press;
  }

  /** Press the button that waits. Until then the screen stays busy, so that a key pressed just now is not lost. */
  #continue() {
    const next = this.#next;
    this.#next = null;
    if (next === null) {
      this.#setDoing("");
      return;
    }
    // The screen reports the first command's success when the promise of `act` resolves, so wait for that.
    setTimeout(() => {
      this.#setDoing("");
      next();
      if (!this.doing) this.#continue();
    });
  }

  /** @param {string} name */
  #setDoing(name) {
    this.doing = name;
    this.dispatchEvent(new Event("change"));
  }
}

/**
 * Wait until a screen shows a change, or cannot show it soon: a user who then reads of the success can go on at once.
 *
 * @param {Connection} connection  the screen's own
 * @param {number} seq  the number of the change
 * @returns {Promise<void>}
 */
export function untilShown(connection, seq) {
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
