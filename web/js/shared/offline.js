/** What lets a page come up, and tell the truth, without the network: its files by the service worker, its view by itself. */

import { recall, remember } from "./memory.js";

const SAVE_MS = 3_000;

/**
 * Keep this page and the files that it has loaded, for when the network is away. It needs HTTPS, or this very machine.
 *
 * @param {"/display" | "/t" | "/reception" | "/room"} kind
 */
export async function cachePage(kind) {
  if (!("serviceWorker" in navigator)) return;
  try {
    await navigator.serviceWorker.register("/service-worker.js");
    const { active } = await navigator.serviceWorker.ready;
    active?.postMessage({ kind, files: files() });
  } catch {
    // a browser that keeps nothing is no error
  }
}

/** The addresses of the files that this page has loaded. */
function files() {
  const loaded = performance.getEntriesByType("resource").map(({ name }) => new URL(name));
  const own = loaded.filter(({ origin, pathname }) => origin === location.origin && pathname.startsWith("/static/"));
  return [...new Set(own.map(({ pathname }) => pathname))];
}

/**
 * A view that this device keeps, under a name.
 *
 * @typedef {{at: number, seq: number, cells: Record<string, any>, more: any}} Kept  `at`: when it was true
 */
export class SavedView {
  #name;
  #life;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {(() => Kept) | undefined} */
  #latest;

  /**
   * @param {string} name
   * @param {number} lifeMs  what is older tells nothing any more
   */
  constructor(name, lifeMs) {
    this.#name = name;
    this.#life = lifeMs;
    addEventListener("pagehide", () => this.#write());
  }

  /** @returns {Kept | null} */
  read() {
    try {
      const kept = JSON.parse(recall(this.#name) ?? "null");
      return kept !== null && Date.now() - kept.at < this.#life ? kept : null;
    } catch {
      return null;
    }
  }

  /**
   * Keep a view, soon: many changes cost one writing.
   *
   * @param {() => Kept} latest
   */
  keep(latest) {
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
