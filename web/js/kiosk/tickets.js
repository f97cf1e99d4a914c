/**
 * Taking a ticket, and checking in. A touch has an id, which is made when the screen is drawn, and its request is valid for three seconds: a
 * request that the network delivers later makes no ticket. A repeat with the same id tells whether the ticket was made.
 */

import { isFromServer, refusalOf, request } from "../shared/request.js";

const ADDRESS = "/api/v1/commands/";
const PENDING = "kiosk-touch";
export const VALID_MS = 3_000;
/** For how long a person in front of the kiosk may still learn that the ticket was made. */
export const ASKED_MS = 12_000;
const PAUSE_MS = 300;
const ATTEMPT_MS = 2_500;

/**
 * @typedef {{id: string, body: {queue_id: number, language: string, valid_until: number}, at: number}} Touch  `at`: by the
 *   browser's clock
 * @typedef {import("./check-in.js").Claim} Claim
 * @typedef {{id: string, body: Claim & {valid_until: number}, language: string, at: number}} CheckInTouch
 * @typedef {{label: string, token: string, address: string, queue_id: number, language: string, opened_at: number,
 *   entry: number, ahead: number | null, expect_from: number | null, expect_until: number | null,
 *   queue?: {name: string, names: Record<string, string>}}} Issued  `queue`: of a check-in, as the kiosk may not offer it
 * @typedef {{issued: Issued} | {refused: string, details: Record<string, any>} | {unknown: true}} Outcome
 */

/** Sends the touches of one kiosk. */
export class Tickets {
  #token;

  /** @param {() => string} token  of the kiosk */
  constructor(token) {
    this.#token = token;
  }

  /**
   * Take a ticket. Calls `late` when the time of the promise is over and the outcome is still unknown. Resolves with the
   * outcome; `unknown` after twelve seconds.
   *
   * @param {Touch} touch
   * @param {() => void} late
   * @returns {Promise<Outcome>}
   */
  async take(touch, late) {
    store(touch);
    const outcome = await follow(touch, () => this.#ask(touch), late);
    if (!("unknown" in outcome)) forget(touch);
    return outcome;
  }

  /**
   * Check a patient in, as `take` takes a ticket. The tab remembers nothing: what a patient types is personal. A check-in that
   * nobody has seen stays, because the patient has come.
   *
   * @param {string} kioskId
   * @param {CheckInTouch} touch
   * @param {() => void} late
   * @returns {Promise<Outcome>}
   */
  checkIn(kioskId, { id, body, language, at }, late) {
    const ask = () => this.#post(`/api/v1/kiosks/${kioskId}/check-in`, body, this.#headers(id));
    return follow({ at }, async () => outcomeOf(await ask().catch(() => null), { language, at }), late);
  }

  /** Return the touch that a reload of the page has interrupted, if a person may still be here. @returns {Touch | null} */
  interrupted() {
    const touch = stored();
    return touch !== null && Date.now() < touch.at + ASKED_MS ? touch : null;
  }

  /**
   * Cancel a ticket that was made although nobody could see its number: the person has gone to the desk. Call it when the
   * server answers again.
   */
  async cancelUnseen() {
    const touch = stored();
    if (touch === null || Date.now() < touch.at + ASKED_MS) return;
    const outcome = await this.#ask(touch);
    if (outcome === null) return;
    forget(touch);
    if ("issued" in outcome) await this.leave(outcome.issued);
  }

  /** Leave the queue in the name of a ticket that nobody has seen. @param {Issued} issued */
  async leave({ entry, token }) {
    await this.#send("leave", { entry_id: entry }, { Authorization: `Bearer ${token}` }).catch(() => null);
  }

  /**
   * Ask reception for help. Returns whether reception knows.
   *
   * @param {number} kioskId
   * @param {string} id  of the touch
   */
  async askHelp(kioskId, id) {
    const answer = await this.#send("ask-help", { kiosk_id: kioskId }, this.#headers(id)).catch(() => null);
    return answer !== null && (answer.ok || refusalOf(answer) === "nothing_changed");
  }

  /**
   * @param {Touch} touch
   * @returns {Promise<Outcome | null>}  null: there is no answer of the server yet
   */
  async #ask({ id, body, at }) {
    const answer = await this.#send("issue-ticket", body, this.#headers(id)).catch(() => null);
    return outcomeOf(answer, { queue_id: body.queue_id, language: body.language, at });
  }

  /** @param {string} id */
  #headers(id) {
    return { Authorization: `Bearer ${this.#token()}`, "Idempotency-Key": id };
  }

  /**
   * @param {string} name
   * @param {object} body
   * @param {Record<string, string>} headers
   */
  #send(name, body, headers) {
    return this.#post(`${ADDRESS}${name}`, body, headers);
  }

  /**
   * @param {string} address
   * @param {object} body
   * @param {Record<string, string>} headers
   */
  #post(address, body, headers) {
    const options = { method: "POST", headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(body) };
    return request(address, options, ATTEMPT_MS);
  }
}

/**
 * Ask until there is an outcome, for twelve seconds. Calls `late` when the time of the promise is over before that.
 *
 * @param {{at: number}} touch
 * @param {() => Promise<Outcome | null>} ask
 * @param {() => void} late
 * @returns {Promise<Outcome>}
 */
async function follow({ at }, ask, late) {
  const promise = setTimeout(late, Math.max(0, at + VALID_MS - Date.now()));
  try {
    for (;;) {
      const outcome = await ask();
      if (outcome !== null) return outcome;
      if (Date.now() >= at + ASKED_MS) return { unknown: true };
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  } finally {
    clearTimeout(promise);
  }
}

/**
 * Return what an answer says, or null if it is none of the server's.
 *
 * @param {Response | null} answer
 * @param {{queue_id?: number, language: string, at: number}} touch
 * @returns {Promise<Outcome | null>}
 */
async function outcomeOf(answer, { queue_id, language, at }) {
  if (answer === null || !isFromServer(answer) || answer.status >= 500) return null;
  const refused = refusalOf(answer);
  const body = await answer.json().catch(() => null);
  if (refused !== null) return { refused, details: body?.error?.details ?? {} };
  if (!answer.ok || body === null) return null;
  const { ahead = null, expect_from = null, expect_until = null } = body.quote ?? {};
  return {
    issued: {
      label: body.entry.label,
      entry: body.entry.id,
      token: body.token,
      address: body.address,
      queue_id: queue_id ?? body.entry.queue_id,
      language,
      opened_at: at,
      ahead,
      expect_from,
      expect_until,
      ...(body.queue === undefined ? {} : { queue: body.queue }),
    },
  };
}

// The tab remembers a touch until its outcome is known: the id and the queue, never a ticket.

/** @param {Touch} touch */
const store = (touch) => sessionStorage.setItem(PENDING, JSON.stringify(touch));

/** @returns {Touch | null} */
const stored = () => JSON.parse(sessionStorage.getItem(PENDING) ?? "null");

/** @param {Touch} touch */
function forget({ id }) {
  if (stored()?.id === id) sessionStorage.removeItem(PENDING);
}
