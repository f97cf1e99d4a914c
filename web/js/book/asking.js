/** The requests of the page. The server recognises the visitor by a cookie that no script can read. */

import { post, request } from "../shared/request.js";
import { answered, answeredOnce } from "../shared/visitor-requests.js";

/**
 * @typedef {import("../components/free-times.js").Slot} Slot
 * @typedef {{id: number, name: string, names: Record<string, string>, provider_ids: number[]}} Service
 * @typedef {{now: number, today: string,
 *   site: {name: string, language: string, languages: string[], time_zone: string, clock: "12" | "24"},
 *   services: Service[], providers: {id: number, name: string}[]}} Booking
 * @typedef {{service_id: number, provider_id: number | null, local_start: string, fold: number, hold_token: string | null}} Wish
 * @typedef {{hold_token: string, held_until: number, now: number}} Held
 * @typedef {{name: string, phone: string | null, email: string | null, language: string, wants_earlier: boolean}} About
 */

const LOOK_MS = 10_000;

/** The requests at one site. All of them throw `Refused`. */
export class Asking {
  #address;

  /** @param {string} site */
  constructor(site) {
    this.#address = `/api/v1/sites/${site}/booking`;
  }

  /** Return the site and what can be booked there. @returns {Promise<Booking>} */
  look() {
    return answered(() => request(this.#address, { cache: "no-store" }, LOOK_MS));
  }

  /**
   * Return the free times of some local dates.
   *
   * @param {number} serviceId
   * @param {number | null} providerId
   * @param {string} from
   * @param {string} until
   * @returns {Promise<Slot[]>}
   */
  async slots(serviceId, providerId, from, until) {
    const query = new URLSearchParams({ service_id: String(serviceId), from, until });
    if (providerId !== null) query.set("provider_id", String(providerId));
    const { data } = await answered(() => request(`${this.#address}/slots?${query}`, { cache: "no-store" }, LOOK_MS));
    return data;
  }

  /** Keep a time, or keep it longer. @param {Wish} wish @returns {Promise<Held>} */
  hold(wish) {
    return answered(() => post(`${this.#address}/hold`, wish));
  }

  /** Give a time back. A hold that is over anyway needs nothing. @param {string} token */
  async release(token) {
    await post(`${this.#address}/release`, { hold_token: token }).catch(() => null);
  }

  /**
   * Book a time. The server books once for a key, so the request is sent a second time if the answer is lost.
   *
   * @param {Wish & About} wish
   * @param {string} key
   * @returns {Promise<{token: string}>}
   */
  book(wish, key) {
    return answeredOnce(() => post(`${this.#address}/book`, wish, { "Idempotency-Key": key }));
  }
}

/** Return whether a hold has become an appointment: the answer of the booking may be lost. @param {string} token */
export async function isBooked(token) {
  const answer = await request(`/api/v1/appointments/${encodeURIComponent(token)}`, { cache: "no-store" }, LOOK_MS).catch(() => null);
  return answer?.ok === true;
}
