/** Every change is a command. It is done once, however often the network makes us ask. */

import { refresh } from "./session.js";

/**
 * @typedef {{seq: number, events: {type: string, label?: string}[], token?: string,
 *   entry?: {id: number, label: string, state: string, queue_id: number, point_id: number | null}}} Answer
 */

const LIMIT_MS = 30_000;

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
 * @returns {Promise<Answer>}
 */
export async function send(name, body) {
  const key = newKey();
  let answer = await attemptTwice(name, body, key);
  if (answer.status === 401) {
    // Another page may have refreshed in between, so ask again even if we could not.
    await refresh().catch(() => false);
    answer = await attemptTwice(name, body, key);
  }
  if (answer.ok) return answer.json();
  const { error } = await answer.json().catch(() => ({ error: { code: "internal_error", message: "" } }));
  throw new CommandFailed(error.code, error.message, error.details);
}

/**
 * The answer may be what was lost: the second time has the same key, so that nothing is done twice.
 *
 * @param {string} name
 * @param {Record<string, unknown>} body
 * @param {string} key
 */
async function attemptTwice(name, body, key) {
  try {
    return await attempt(name, body, key);
  } catch {
    try {
      return await attempt(name, body, key);
    } catch {
      throw new CommandFailed("unreachable", "");
    }
  }
}

/**
 * @param {string} name
 * @param {Record<string, unknown>} body
 * @param {string} key
 */
async function attempt(name, body, key) {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), LIMIT_MS);
  try {
    return await fetch(`/api/v1/commands/${name}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Idempotency-Key": key },
      body: JSON.stringify(body),
      signal: limit.signal,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** Return a random UUID. `crypto.randomUUID` itself exists only over HTTPS, and a clinic's own network may have none. */
function newKey() {
  return "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (digit) => {
    const random = crypto.getRandomValues(new Uint8Array(1))[0] ?? 0;
    return (Number(digit) ^ (random & (15 >> (Number(digit) / 4)))).toString(16);
  });
}
