import { refusalOf, request } from "./request.js";
import { asUser } from "./session.js";

/**
 * @typedef {import("./session.js").Refusal & {message?: string}} Refusal
 */

/**
 * Ask the server for JSON, as the user who is signed in. Returns the body (null for an answer without one), or the server's
 * refusal. Throws without an answer of the server, and an `AbortError` when the signal aborts.
 *
 * @param {string} address
 * @param {{method?: string, body?: object, signal?: AbortSignal}} [options]
 * @returns {Promise<{body: any, error?: undefined} | {error: Refusal, body?: undefined}>}
 */
export async function ask(address, { method = "GET", body, signal } = {}) {
  const answer = await asUser(() =>
    request(address, {
      method,
      cache: "no-store",
      ...(signal === undefined ? {} : { signal }),
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
    }),
  );
  if (answer.status === 204) return { body: null };
  if (refusalOf(answer) !== null) return { error: (await answer.json()).error };
  if (!answer.ok) throw new Error(`${address} answered ${answer.status}`);
  return { body: await answer.json() };
}
