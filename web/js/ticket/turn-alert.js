import { find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { recall, remember } from "../shared/memory.js";
import { isExpected } from "./ticket-view.js";

/**
 * @typedef {import("../shared/sound.js").Sound} Sound
 * @typedef {import("./page.js").TicketPage} TicketPage
 */

const AGAIN_MS = 6_000;
const TIMES = 20; // two minutes; after that only the screen shows the call
const FLASH_MS = 1_000;
const PATTERN = [400, 150, 400, 150, 400];
const ALERTS = "alerts";

/**
 * Alerts the patient that it is their turn, once for each call and recall, until they say that they are coming: by sound,
 * vibration, a changing page title, and a notification if they allow it.
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
   * @param {string} [heard]  the last call that the patient was alerted of, as given to `call`
   */
  constructor(sound, heard = "") {
    this.#sound = sound;
    this.#heard = heard;
  }

  /** The last call that the patient was alerted of. */
  get heard() {
    return this.#heard;
  }

  /** Whether the alert is on: the patient has not said yet that they are coming. */
  get calling() {
    return this.#again !== undefined;
  }

  /**
   * Start the alert of a call. Does nothing for a call that the patient was alerted of already.
   *
   * @param {string} call  identifies the call; each recall has another one
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

  /** End the alert: the patient is coming, or the call is over. */
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
      // phones allow notifications from service workers only, and there may be none
    }
  }
}

const TAG = "turn";

async function closeNotifications() {
  try {
    const worker = await navigator.serviceWorker?.getRegistration();
    for (const each of (await worker?.getNotifications({ tag: TAG })) ?? []) each.close();
  } catch {
    // there is nothing to close
  }
}

/** Vibrate, if the user has touched the page: without a touch the browser refuses and writes a warning. */
function buzz() {
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(PATTERN);
}

/** Ask the patient to allow notifications. Without them the page itself shows the call. */
async function requestNotifications() {
  if (!("Notification" in globalThis) || Notification.permission !== "default") return;
  await Notification.requestPermission().catch(() => {});
}

/**
 * Let messages come to this phone, after a touch. A touch right after the start waits until the page knows what the clinic offers.
 *
 * @param {import("./push.js").Push} push
 */
async function allowMessages(push) {
  await push.known;
  if (push.state === "off") await push.turnOn();
  else if (push.state !== "on") await requestNotifications();
}

/**
 * The button that lets this phone ring: by messages if the clinic sends them, else by sound and notifications while the page
 * is open. The browser remembers the choice, but it asks for a touch on every visit before it lets a page sound.
 *
 * @param {TicketPage} page
 * @returns {{show: () => void}}  `show` shows the button in the language of now
 */
export function connectAlerts(page) {
  const { sound, connection, push } = page;
  const button = find("[data-alerts]");
  const hint = find("[data-alerts-hint]");
  const show = () => {
    const { ticket } = page;
    const { state, failed } = push;
    const byPush = state === "on" || state === "off";
    const on = byPush ? state === "on" : recall(ALERTS) !== null && sound.ready;
    const open = ticket === undefined ? page.appointment?.state === "booked" && state !== "none" : isExpected(ticket, connection.now());
    const words = ticket === undefined ? "appointment.push" : byPush ? "patient.push" : "patient.alerts";
    button.hidden = !open || (ticket === undefined && !byPush);
    button.setAttribute("aria-pressed", String(on));
    setText(find("span", button), t(on ? `${words}.on` : words));
    const problem = failed ? "failed" : state;
    hint.hidden = !open || !(problem in HINTS);
    setText(hint, hint.hidden ? "" : t(HINTS[/** @type {keyof typeof HINTS} */ (problem)]));
  };
  button.addEventListener("click", async () => {
    if (push.state === "on") {
      await push.turnOff();
      return;
    }
    remember(ALERTS, "1");
    await Promise.all([soundOnce(sound), allowMessages(push)]);
    show();
  });
  sound.addEventListener("change", show);
  push.addEventListener("change", show);
  page.addEventListener("paint", show);
  if (recall(ALERTS) !== null) document.addEventListener("pointerdown", () => void sound.prepare().then(show), { once: true });
  let asked = false;
  connection.addEventListener("state", () => {
    if (connection.state === "live" && !asked) void push.look();
    asked ||= connection.state === "live";
  });
  answerWorker(page);
  show();
  return { show };
}

const HINTS = { denied: "patient.push.denied", install: "patient.push.install", failed: "patient.push.failed" };

/** @param {Sound} sound */
async function soundOnce(sound) {
  if (await sound.prepare()) await sound.ring();
}

/**
 * The service worker asks before it shows a message: a page that the patient sees already shows the call.
 *
 * @param {TicketPage} page
 */
function answerWorker({ connection, turnAlert }) {
  if (!("serviceWorker" in navigator)) return;
  navigator.serviceWorker.addEventListener("message", ({ ports }) => {
    ports[0]?.postMessage({ seen: document.visibilityState === "visible" && connection.state === "live", rings: turnAlert.calling });
  });
}
