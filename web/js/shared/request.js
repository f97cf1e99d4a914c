/** Requests to the server, with a limit of half a minute. */

const LIMIT_MS = 30_000;
const MOST_PAUSE_MS = 10_000;

/**
 * Return the code of a refusal by the server itself, or null. Any other answer may be from a proxy, and says nothing about
 * the thing that was asked for.
 *
 * @param {Response} answer
 */
export const refusalOf = (answer) => answer.headers.get("X-NowServing-Refusal");

/**
 * Return whether the server itself has sent an answer. The answer of a file is not marked.
 *
 * @param {Response} answer
 */
export const isFromServer = (answer) => answer.headers.has("X-API-Version");

/**
 * Fetch with a time limit. Throws what `fetch` throws, and an `AbortError` after the limit or when the signal aborts.
 *
 * @param {string} address
 * @param {RequestInit} [options]
 * @param {number} [limitMs]
 * @returns {Promise<Response>}
 */
export async function request(address, options = {}, limitMs = LIMIT_MS) {
  const limit = new AbortController();
  const { signal } = options;
  const stop = () => limit.abort();
  if (signal?.aborted) stop();
  signal?.addEventListener("abort", stop);
  const timer = setTimeout(stop, limitMs);
  try {
    return await fetch(address, { ...options, signal: limit.signal });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

/**
 * Send a request; if the server is too busy for it, send it once more at the time that the server names. A busy server has done
 * nothing. Throws what `send` throws.
 *
 * @param {() => Promise<Response>} send
 * @returns {Promise<Response>}
 */
export async function patiently(send) {
  const answer = await send();
  if (refusalOf(answer) !== "busy") return answer;
  const seconds = Number(answer.headers.get("Retry-After"));
  await new Promise((resolve) => setTimeout(resolve, Math.min(seconds * 1_000, MOST_PAUSE_MS)));
  return send();
}

/**
 * Send JSON and return the answer. Throws what `request` throws.
 *
 * @param {string} address
 * @param {object} body
 * @param {Record<string, string>} [headers]
 */
export function post(address, body, headers = {}) {
  return request(address, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}
