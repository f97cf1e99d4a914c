/** Starting a page without the network: the service worker caches its files, and the browser saves its last view. */

import { recall, remember } from "./memory.js";

const SAVE_MS = 3_000;

/**
 * Cache this page and the files that it has loaded, for the time without a network. Browsers allow it over HTTPS and on
 * localhost only.
 *
 * @param {"/display" | "/kiosk" | "/t" | "/a" | "/reception" | "/room" | "/calendar"} kind
 */
export async function cachePage(kind) {
  if (!("serviceWorker" in navigator)) return;
  try {
    await navigator.serviceWorker.register("/service-worker.js");
    const { active } = await navigator.serviceWorker.ready;
    active?.postMessage({ kind, files: files() });
  } catch {
    // the browser caches nothing: the page works without it
  }
}

/** The addresses of the files that this page has loaded. */
function files() {
  const loaded = performance.getEntriesByType("resource").map(({ name }) => new URL(name));
  const own = loaded.filter(({ origin, pathname }) => origin === location.origin && pathname.startsWith("/static/"));
  return [...new Set(own.map(({ pathname }) => pathname))];
}

/**
 * @typedef {{at: number, seq: number, cells: Record<string, any>, more: any}} Saved  `at`: when the server last confirmed
 *   the view, in milliseconds; `more`: the page's other values
 */

/** A view that the browser saves under a name. */
export class SavedView {
  #name;
  #lifeMs;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {(() => Saved) | undefined} */
  #latest;

  /**
   * @param {string} name
   * @param {number} lifeMs  an older view is ignored
   */
  constructor(name, lifeMs) {
    this.#name = name;
    this.#lifeMs = lifeMs;
    addEventListener("pagehide", () => this.#write());
  }

  /** @returns {Saved | null} */
  read() {
    try {
      const saved = JSON.parse(recall(this.#name) ?? "null");
      return saved !== null && Date.now() - saved.at < this.#lifeMs ? saved : null;
    } catch {
      return null;
    }
  }

  /**
   * Save a view within three seconds, so that many changes cost one write.
   *
   * @param {() => Saved} latest  returns the view
   */
  saveSoon(latest) {
    this.#latest = latest;
    this.#timer ??= setTimeout(() => this.#write(), SAVE_MS);
  }

  #write() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#latest !== undefined) remember(this.#name, JSON.stringify(this.#latest()));
    this.#latest = undefined;
  }
}
