/** The requests of the page. The server recognises the phone by a cookie that no script can read. */

import { isFromServer, post, refusalOf, request } from "../shared/request.js";

/**
 * @typedef {{id: number, name: string, names: Record<string, string>, prefix: string, room: "open" | "paused" | "full",
 *   position: number, waiting: number, expect_from: number | null, expect_until: number | null, estimating: boolean}} Queue
 * @typedef {{now: number, site: {name: string, language: string, languages: string[], time_zone: string, clock: "12" | "24"},
 *   state: "open" | "closed", opens_at: number | null, code_needed: boolean, has_pass: boolean,
 *   phone: "none" | "optional" | "required", ticket: string | null, queues: Queue[]}} Joining  `ticket`: its token
 * @typedef {{code: string, details: Record<string, any>}} Refusal
 * @typedef {{token: string}} Joined
 */

const LOOK_MS = 10_000;

/** The server refused. `code` is its code, or `unreachable` without an answer. */
export class Refused extends Error {
  /** @param {Refusal} refusal */
  constructor({ code, details }) {
    super(code);
    this.code = code;
    this.details = details;
  }
}

/** The requests at one site. */
export class Asking {
  #address;

  /** @param {string} site */
  constructor(site) {
    this.#address = `/api/v1/sites/${site}/joining`;
  }

  /** Return the site and its queues. Throws `Refused`. @returns {Promise<Joining>} */
  look() {
    return answered(() => request(this.#address, { cache: "no-store" }, LOOK_MS));
  }

  /** Exchange a code for a pass; null where the site needs no code. Throws `Refused`. @param {string | null} code */
  async enter(code) {
    await answered(() => post(`${this.#address}/pass`, { code }));
  }

  /**
   * Join a queue. The server issues one ticket for a key, so the request is sent a second time if the answer is lost. Throws
   * `Refused`.
   *
   * @param {{queue_id: number, language: string, phone: string | null}} wish
   * @param {string} key
   * @returns {Promise<Joined>}
   */
  async join(wish, key) {
    const send = () => answered(() => post(`${this.#address}/ticket`, wish, { "Idempotency-Key": key }));
    try {
      return await send();
    } catch (error) {
      if (error instanceof Refused && error.code !== "unreachable") throw error;
      return send();
    }
  }
}

/**
 * @param {() => Promise<Response>} ask
 * @returns {Promise<any>}
 */
async function answered(ask) {
  const answer = await ask().catch(() => null);
  if (answer === null || (!isFromServer(answer) && refusalOf(answer) === null)) throw new Refused({ code: "unreachable", details: {} });
  const body = await answer.json().catch(() => null);
  if (answer.ok && body !== null) return body;
  throw new Refused(body?.error ?? { code: refusalOf(answer) ?? "unreachable", details: {} });
}
