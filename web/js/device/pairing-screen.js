import { find, setText } from "../shared/dom.js";
import { formatTime, t } from "../shared/i18n.js";
import { pairDevice } from "../shared/pairing.js";
import { rememberPairing } from "./identity.js";

const RETRY_MS = 60_000;

/** The pairing code that a device shows while the server refuses it, or while it has no token. */
export class PairingScreen {
  #screen;
  #identity;
  #shown = false;

  /**
   * @param {{connection: import("../live/connection.js").Connection, zone: string | undefined}} screen
   * @param {import("./identity.js").Identity} identity
   */
  constructor(screen, identity) {
    this.#screen = screen;
    this.#identity = identity;
  }

  /**
   * Show a code until the device is paired, or until the server accepts its token again. It tries the token every minute,
   * because nobody stands by to reload the page.
   */
  async show() {
    if (this.#shown) return;
    this.#shown = true;
    const { connection } = this.#screen;
    const stop = new AbortController();
    const retry = setInterval(() => this.#identity.token !== "" && connection.open(), RETRY_MS);
    const stopWhenLive = () => connection.state === "live" && stop.abort();
    connection.addEventListener("state", stopWhenLive);
    const block = find("[data-pairing]");
    document.body.dataset.pairing = "";
    block.hidden = false;
    try {
      await this.#pair(stop.signal);
    } catch {
      // aborted: the connection is live again
    } finally {
      this.#shown = false;
      clearInterval(retry);
      connection.removeEventListener("state", stopWhenLive);
      block.hidden = true;
      delete document.body.dataset.pairing;
    }
  }

  /**
   * Wait until the code is entered for a device of this kind, and become that device. Throws when `signal` aborts.
   *
   * @param {AbortSignal} signal
   */
  async #pair(signal) {
    const note = find("[data-pairing-note]");
    const shows = {
      code: (/** @type {string} */ code, /** @type {number} */ until) => {
        setText(find("[data-code]"), `${code.slice(0, 3)} ${code.slice(3)}`);
        setText(note, t("display.pairing.until", { time: formatTime(until, this.#screen.zone) }));
      },
      unreachable: () => setText(note, t("display.pairing.unreachable")),
    };
    for (;;) {
      const device = await pairDevice(shows, signal);
      if (device.kind === this.#identity.kind) {
        rememberPairing(device);
        location.replace(`/${device.kind}/${device.device_id}`);
        return;
      }
      setText(note, t("display.pairing.elsewhere"));
    }
  }
}
