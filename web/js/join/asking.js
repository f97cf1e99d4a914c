/** The requests of the page. The server recognises the phone by a cookie that no script can read. */

import { post, request } from "../shared/request.js";
import { answered, answeredOnce } from "../shared/visitor-requests.js";

/**
 * @typedef {{id: number, name: string, names: Record<string, string>, prefix: string, room: "open" | "paused" | "full",
 *   position: number, waiting: number, expect_from: number | null, expect_until: number | null, estimating: boolean}} Queue
 * @typedef {{now: number, site: {name: string, language: string, languages: string[], time_zone: string, clock: "12" | "24"},
 *   state: "open" | "closed", opens_at: number | null, code_needed: boolean, has_pass: boolean,
 *   phone: "none" | "optional" | "required", ticket: string | null, queues: Queue[]}} Joining  `ticket`: its token
 * @typedef {{token: string}} Joined
 */

const LOOK_MS = 10_000;

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
  join(wish, key) {
    return answeredOnce(() => post(`${this.#address}/ticket`, wish, { "Idempotency-Key": key }));
  }
}
