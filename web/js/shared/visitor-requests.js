/** The requests of a visitor without an account, at the pages for joining and booking. */

import { isFromServer, patiently, refusalOf } from "./request.js";

/** The server refused. `code` is its code, or `unreachable` without an answer. */
export class Refused extends Error {
  /** @param {{code: string, details?: Record<string, any>}} refusal */
  constructor({ code, details = {} }) {
    super(code);
    this.code = code;
    this.details = details;
  }
}

/**
 * Return the body of the server's answer. Throws `Refused`.
 *
 * @param {() => Promise<Response>} ask
 * @returns {Promise<any>}
 */
export async function answered(ask) {
  const answer = await ask().catch(() => null);
  if (answer === null || (!isFromServer(answer) && refusalOf(answer) === null)) throw new Refused({ code: "unreachable" });
  const body = await answer.json().catch(() => null);
  if (answer.ok && body !== null) return body;
  throw new Refused(body?.error ?? { code: refusalOf(answer) ?? "unreachable" });
}

/**
 * As `answered`, but ask a second time if the answer is lost or the server is busy: the server acts once for an idempotency key.
 *
 * @param {() => Promise<Response>} ask
 * @returns {Promise<any>}
 */
export async function answeredOnce(ask) {
  const patient = () => patiently(ask);
  try {
    return await answered(patient);
  } catch (error) {
    if (error instanceof Refused && error.code !== "unreachable") throw error;
    return answered(patient);
  }
}
