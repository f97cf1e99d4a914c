/** A device's side of a pairing: it shows a code, and keeps asking, by a secret of its own, whether somebody entered it. */

import { post, request } from "./request.js";

const ADDRESS = "/api/v1/pairings";
const ASK_MS = 3_000;
const AGAIN_MS = 10_000;
const EARLY_MS = 5_000; // a code that is about to end is not shown any more

/**
 * @typedef {{device_id: number, kind: "display" | "kiosk", token: string}} Paired
 * @typedef {{code: string, secret: string, expires_at: number}} Begun
 *
 * @typedef {object} Screen  what the device shows meanwhile
 * @property {(code: string, until: number) => void} code
 * @property {() => void} unreachable
 */

/**
 * Show codes until one is entered. Resolves with what the device now is; rejects with an `AbortError` when told to stop.
 *
 * @param {Screen} screen
 * @param {AbortSignal} signal
 * @returns {Promise<Paired>}
 */
export async function pairDevice(screen, signal) {
  for (;;) {
    const begun = await begin(signal);
    if (begun === null) {
      screen.unreachable();
      await rest(AGAIN_MS, signal);
      continue;
    }
    screen.code(begun.code, begun.expires_at);
    const found = await entered(begun, screen, signal);
    if (found !== null) return found;
  }
}

/**
 * @param {AbortSignal} signal
 * @returns {Promise<Begun | null>}
 */
async function begin(signal) {
  signal.throwIfAborted();
  const answer = await post(ADDRESS, {}).catch(() => null);
  return answer?.status === 201 ? answer.json() : null;
}

/**
 * Return what the code was entered for, or null when its time is over.
 *
 * @param {Begun} begun
 * @param {Screen} screen
 * @param {AbortSignal} signal
 * @returns {Promise<Paired | null>}
 */
async function entered({ code, secret, expires_at: until }, screen, signal) {
  while (Date.now() < until - EARLY_MS) {
    await rest(ASK_MS, signal);
    const answer = await request(`${ADDRESS}/${secret}`, { cache: "no-store" }).catch(() => null);
    if (answer === null || answer.status >= 429) {
      screen.unreachable();
      continue;
    }
    if (answer.status !== 200) return null;
    const found = await answer.json();
    if (found.state === "paired") return found;
    screen.code(code, until);
  }
  return null;
}

/**
 * @param {number} milliseconds
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function rest(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const stop = () => (clearTimeout(timer), reject(signal.reason));
    const timer = setTimeout(() => (signal.removeEventListener("abort", stop), resolve()), milliseconds);
    signal.addEventListener("abort", stop, { once: true });
  });
}
