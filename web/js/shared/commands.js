/**
 * Commands: every change goes to the server as one. The server executes it once, even if the network makes us send it
 * twice.
 */

import { isFromServer, patiently, post, refusalOf } from "./request.js";
import { asUser } from "./session.js";

/**
 * @typedef {{kind: string, count: number, first: string[]}} Affected  people or records that a change affects: their kind,
 *   their number, and the labels or names of the first
 * @typedef {{seq: number, events: {type: string, label?: string, display_id?: number, kiosk_id?: number}[], token?: string, address?: string,
 *   affects?: Affected[],
 *   appointment?: {id: number, version: number, state: string, provider_id: number, local_start: string},
 *   entry?: {id: number, label: string, state: string, queue_id: number, point_id: number | null}}} Answer
 */

/**
 * A command failed. `code` is the server's error code, or `unreachable` without an answer: then it may have been executed.
 */
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
 * Send a command and return its answer. Throws `CommandFailed`.
 *
 * @param {string} name  such as `call-next`
 * @param {Record<string, unknown>} body
 * @param {string} [token]  of a ticket, for a patient's own commands; without it the session counts
 * @returns {Promise<Answer>}
 */
export function sendCommand(name, body, token) {
  return ask(`/api/v1/commands/${name}`, body, token);
}

/**
 * Return the answer that a command would get now, with what it affects. Nothing changes. Throws `CommandFailed`.
 *
 * @param {string} name
 * @param {Record<string, unknown>} body
 * @returns {Promise<Answer>}
 */
export function previewCommand(name, body) {
  return ask(`/api/v1/commands/${name}?preview=true`, body);
}

/**
 * Send a change that is no command of its own, and return the answer. It is done once, even if the network makes us send it
 * twice. Throws `CommandFailed`.
 *
 * @param {string} address
 * @param {Record<string, unknown>} body
 * @returns {Promise<any>}
 */
export const sendChange = (address, body) => ask(address, body);

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
  const send = () => sendTwice(address, body, key, token);
  const answer = await (token === undefined ? asUser(send) : send());
  if (answer.ok) return answer.json();
  const { error } = await answer.json();
  throw new CommandFailed(error.code, error.message, error.details);
}

/**
 * Send a second time if there is no answer, only one of a proxy, or that of a busy server. The answer alone may be lost, so both
 * have the same key: the server executes one.
 *
 * @param {string} address
 * @param {Record<string, unknown>} body
 * @param {string} key
 * @param {string | undefined} token
 */
async function sendTwice(address, body, key, token) {
  /** @type {Record<string, string>} */
  const headers = { "Idempotency-Key": key };
  if (token !== undefined) headers.Authorization = `Bearer ${token}`;
  const attempt = async () => {
    const answer = await patiently(() => post(address, body, headers));
    if (!isFromServer(answer) && refusalOf(answer) === null) throw new Error(`a proxy answered ${answer.status}`);
    return answer;
  };
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

/** Return a random UUID. `crypto.randomUUID` exists over HTTPS only, and the network of a clinic may have none. */
export function newKey() {
  return "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (digit) => {
    const random = crypto.getRandomValues(new Uint8Array(1))[0] ?? 0;
    return (Number(digit) ^ (random & (15 >> (Number(digit) / 4)))).toString(16);
  });
}
