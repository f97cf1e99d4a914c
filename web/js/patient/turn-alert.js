import { t } from "../shared/i18n.js";

/** @typedef {import("../shared/sound.js").Sound} Sound */

const AGAIN_MS = 6_000;
const TIMES = 20; // two minutes of calling; then the screen alone has to do
const FLASH_MS = 1_000;
const PATTERN = [400, 150, 400, 150, 400];

/**
 * Tells somebody that it is their turn until they say that they have heard: a sound, a buzz, a title that changes, and, if
 * they let us, a notification. Once for each call and recall.
 */
export class TurnAlert {
  #sound;
  #heard = "";
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #again;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #flash;
  /** @type {Notification | null} */
  #notification = null;

  /**
   * @param {Sound} sound
   * @param {string} [heard]  which call they have heard already, as `call` tells it
   */
  constructor(sound, heard = "") {
    this.#sound = sound;
    this.#heard = heard;
  }

  /** Which call they have heard. */
  get heard() {
    return this.#heard;
  }

  /** Whether somebody is being called and has not said that they are coming. */
  get calling() {
    return this.#again !== undefined;
  }

  /**
   * Call them, unless they have heard this call already or are being called by it.
   *
   * @param {string} call  the call: another one for each recall
   * @param {{label: string, point: string}} where
   */
  call(call, where) {
    if (call === this.#heard) return;
    this.stop();
    this.#heard = call;
    let left = TIMES;
    const sign = () => {
      left -= 1;
      if (left < 0) {
        this.stop();
        return;
      }
      void this.#sound.ring();
      buzz();
    };
    this.#again = setInterval(sign, AGAIN_MS);
    sign();
    const titles = [t("ticket.called", { point: where.point }), `${where.label} · ${where.point}`];
    let shown = 0;
    const flash = () => {
      document.title = titles[shown++ % titles.length] ?? "";
    };
    flash();
    this.#flash = setInterval(flash, FLASH_MS);
    void this.#notify(titles[0] ?? "", t("ticket.called.advice"));
  }

  /** They are coming, or it is over. */
  stop() {
    clearInterval(this.#again);
    clearInterval(this.#flash);
    this.#again = undefined;
    this.#notification?.close();
    this.#notification = null;
    void closeNotifications();
  }

  /**
   * @param {string} title
   * @param {string} body
   */
  async #notify(title, body) {
    if (!("Notification" in globalThis) || Notification.permission !== "granted") return;
    const options = { body, tag: TAG, requireInteraction: true };
    try {
      const worker = await navigator.serviceWorker?.getRegistration();
      if (worker !== undefined) await worker.showNotification(title, options);
      else this.#notification = new Notification(title, options);
    } catch {
      // a phone lets only service workers notify, and there may be none
    }
  }
}

const TAG = "turn";

async function closeNotifications() {
  try {
    const worker = await navigator.serviceWorker?.getRegistration();
    for (const each of (await worker?.getNotifications({ tag: TAG })) ?? []) each.close();
  } catch {
    // there are none
  }
}

/** A browser wants a touch before it lets a page buzz, and complains if asked. */
function buzz() {
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(PATTERN);
}

/** Ask whether we may notify; whatever the answer is, the page itself tells them too. */
export async function requestNotifications() {
  if (!("Notification" in globalThis) || Notification.permission !== "default") return;
  await Notification.requestPermission().catch(() => {});
}
