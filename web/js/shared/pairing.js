/** Pairing, on the device's side: it shows a code, and asks with its own secret whether the code has been entered. */

import { post, refusalOf, request } from "./request.js";

const ADDRESS = "/api/v1/pairings";
const ASK_MS = 3_000;
const RETRY_MS = 10_000;
const EARLY_MS = 5_000; // replace a code this long before it expires

/**
 * @typedef {{device_id: number, kind: "display" | "kiosk", token: string}} Paired
 * @typedef {{code: string, secret: string, expires_at: number}} Begun
 *
 * @typedef {object} Screen  what the device shows during the pairing
 * @property {(code: string, until: number) => void} code  shows a code and when it expires (milliseconds)
 * @property {() => void} unreachable  shows that the server does not answer
 */

/**
 * Show codes until one is entered, and return the device and its token. Rejects with an `AbortError` when `signal` aborts.
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
      await rest(RETRY_MS, signal);
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
  return answer?.status === 201 ? answer.json().catch(() => null) : null;
}

/**
 * Wait until a code is entered and return the device, or null when the code expires.
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
    if (answer?.status === 404 && refusalOf(answer) !== null) return null;
    const found = answer?.ok ? await answer.json().catch(() => null) : null;
    if (found === null) {
      screen.unreachable();
      continue;
    }
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
