import { crc32 } from "../live/view.js";
import { recall, remember } from "../shared/memory.js";
import { request } from "../shared/request.js";

/** @typedef {"none" | "install" | "denied" | "off" | "on"} PushState  `install`: first add the page to the home screen */

const SUBSCRIBED = "push";
const MOST = 20; // remembered pages, each with its subscription

/**
 * Messages to this phone, which come also when the page is closed. A clinic may not offer them, and a browser may lack them.
 *
 * One browser has one subscription for all its tickets, so the end of one ticket's messages is told to the server alone.
 *
 * Event: `change`.
 */
export class Push extends EventTarget {
  #address;
  #page;
  /** The clinic's key. @type {string | null} */
  #key = null;
  #on = false;
  /** Ends when the page knows what the clinic offers. @type {Promise<void>} */
  known = Promise.resolve();
  /** The last attempt to subscribe has failed. */
  failed = false;

  /**
   * @param {string} kind   `tickets` or `appointments`
   * @param {string} token
   */
  constructor(kind, token) {
    super();
    this.#address = `/api/v1/${kind}/${encodeURIComponent(token)}/push`;
    this.#page = crc32(token).toString(16); // nobody can open the page with it
  }

  /** @returns {PushState} */
  get state() {
    if (this.#key === null) return "none";
    if (!isSupported()) return isOutsideHomeScreen() ? "install" : "none";
    if (Notification.permission === "denied") return "denied";
    return this.#on ? "on" : "off";
  }

  /** Ask the server whether the clinic offers messages to phones, and whether this phone gets them. */
  look() {
    this.known = this.#ask();
    return this.known;
  }

  async #ask() {
    if (!isSupported() && !isOutsideHomeScreen()) return;
    try {
      const answer = await request(this.#address, { cache: "no-store" });
      if (!answer.ok) return;
      const { key, subscribed } = await answer.json();
      this.#key = key;
      this.#on = subscribed && (await this.#isHere());
    } catch {
      return; // the page works without messages
    }
    this.dispatchEvent(new Event("change"));
  }

  /** Subscribe this phone. Call it after a touch: the browser asks the patient. */
  async turnOn() {
    this.failed = false;
    if ((await Notification.requestPermission()) === "granted") {
      try {
        await navigator.serviceWorker.register("/service-worker.js");
        const { pushManager } = await navigator.serviceWorker.ready;
        await this.#send(await subscriptionFor(pushManager, this.#key ?? ""));
        this.#on = true;
      } catch {
        this.failed = true; // the push service is not reachable, or the server is not
      }
    }
    this.dispatchEvent(new Event("change"));
  }

  /** End the messages of this page. */
  async turnOff() {
    const answer = await request(this.#address, { method: "DELETE" }).catch(() => null);
    this.failed = answer?.ok !== true;
    if (!this.failed) {
      this.#on = false;
      this.#remember(null);
    }
    this.dispatchEvent(new Event("change"));
  }

  /** Return whether this phone subscribed here. A browser that has renewed its subscription sends the new one. */
  async #isHere() {
    const known = remembered()[this.#page];
    if (known === undefined || !isSupported()) return false;
    const registration = await navigator.serviceWorker.getRegistration();
    const subscription = await registration?.pushManager.getSubscription();
    if (subscription == null) return false;
    if (nameOf(subscription) !== known) await this.#send(subscription);
    return true;
  }

  /** @param {PushSubscription} subscription */
  async #send(subscription) {
    const { endpoint, keys } = subscription.toJSON();
    const body = JSON.stringify({ endpoint, keys: { p256dh: keys?.p256dh, auth: keys?.auth } });
    const answer = await request(this.#address, { method: "PUT", headers: { "Content-Type": "application/json" }, body });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    this.#remember(nameOf(subscription));
  }

  /** @param {string | null} name */
  #remember(name) {
    const { [this.#page]: _, ...others } = remembered();
    const kept = Object.entries(others).slice(1 - MOST);
    remember(SUBSCRIBED, JSON.stringify(Object.fromEntries(name === null ? kept : [...kept, [this.#page, name]])));
  }
}

const isSupported = () => "serviceWorker" in navigator && "PushManager" in globalThis && "Notification" in globalThis;

/** An iPhone allows messages only to pages that were opened from its home screen. No other browser has this property. */
const isOutsideHomeScreen = () => "standalone" in navigator && navigator.standalone === false;

/** @param {PushSubscription} subscription */
const nameOf = ({ endpoint }) => crc32(endpoint).toString(16);

/** @returns {Record<string, string>} */
function remembered() {
  try {
    return JSON.parse(recall(SUBSCRIBED) ?? "{}");
  } catch {
    return {};
  }
}

/**
 * Return the browser's subscription for a key. One for the key of another clinic ends, because a browser has only one.
 *
 * @param {PushManager} manager
 * @param {string} key
 */
async function subscriptionFor(manager, key) {
  const present = await manager.getSubscription();
  const theirs = present?.options.applicationServerKey;
  if (present !== null && theirs != null && inBase64(theirs) !== key) await present.unsubscribe();
  return manager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
}

/** @param {ArrayBuffer} bytes */
const inBase64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
