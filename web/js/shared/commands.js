/** Every change is a command. It is done once, however often the network makes us ask. */

import { post } from "./request.js";
import { refreshSession } from "./session.js";

/**
 * @typedef {{seq: number, events: {type: string, label?: string, display_id?: number}[], token?: string,
 *   entry?: {id: number, label: string, state: string, queue_id: number, point_id: number | null}}} Answer
 */

/** A command that was not done, or of which we do not know: `code` is the server's word, or `unreachable`. */
export class CommandFailed extends Error {
  /**
   * @param {string} code
   * @param {string} message  the server's own sentence; may be empty
   * @param {Record<string, any>} [details]
   */
  constructor(code, message, details = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/**
 * Do a command. Throws `CommandFailed`.
 *
 * @param {string} name  such as `call-next`
 * @param {Record<string, unknown>} body
 * @param {string} [token]  of a ticket, for a patient's own commands; without it, it is the session's
 * @returns {Promise<Answer>}
 */
export function sendCommand(name, body, token) {
  return ask(`/api/v1/commands/${name}`, body, token);
}

/**
 * Pair a device with the screen that shows a code. Throws `CommandFailed`.
 *
 * @param {string} code
 * @param {number} deviceId
 */
export async function enterPairingCode(code, deviceId) {
  await ask(`/api/v1/pairings/${encodeURIComponent(code)}`, { device_id: deviceId });
}

/**
 * @param {string} address
 * @param {Record<string, unknown>} body
 * @param {string} [token]
 */
async function ask(address, body, token) {
  const key = newKey();
  let answer = await attemptTwice(address, body, key, token);
  if (answer.status === 401 && token === undefined) {
    // Another page may have refreshed in between, so ask again even if we could not.
    await refreshSession().catch(() => false);
    answer = await attemptTwice(address, body, key, token);
  }
  if (answer.ok) return answer.json();
  const { error } = await answer.json().catch(() => ({ error: { code: "internal_error", message: "" } }));
  throw new CommandFailed(error.code, error.message, error.details);
}

/**
 * The answer may be what was lost: the second time has the same key, so that nothing is done twice.
 *
 * @param {string} address
 * @param {Record<string, unknown>} body
 * @param {string} key
 * @param {string | undefined} token
 */
async function attemptTwice(address, body, key, token) {
  /** @type {Record<string, string>} */
  const headers = { "Idempotency-Key": key };
  if (token !== undefined) headers.Authorization = `Bearer ${token}`;
  const attempt = () => post(address, body, headers);
  try {
    return await attempt();
  } catch {
    try {
      return await attempt();
    } catch {
      throw new CommandFailed("unreachable", "");
    }
  }
}

/** Return a random UUID. `crypto.randomUUID` itself exists only over HTTPS, and a clinic's own network may have none. */
function newKey() {
  return "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (digit) => {
    const random = crypto.getRandomValues(new Uint8Array(1))[0] ?? 0;
    return (Number(digit) ^ (random & (15 >> (Number(digit) / 4)))).toString(16);
  });
}
