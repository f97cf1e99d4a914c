/** The content of a ticket's slip, the same on the desk's paper and on a kiosk's. */

import { loadLocale, nameIn, readingOf } from "./i18n.js";

/**
 * @typedef {{label: string, token: string, address: string, site: string, time_zone: string, queue: string,
 *   queue_names: Record<string, string>, language: string, site_language: string, party: number, opened_at: number,
 *   ahead: number | null, expect_from: number | null, expect_until: number | null}} Slip  as the API returns it
 *
 * @typedef {object} SlipTexts  the lines from top to bottom; an empty one is left out
 * @property {import("./i18n.js").Locale} locale
 * @property {string} site
 * @property {string} queue
 * @property {string} label
 * @property {string} range
 * @property {string} ahead
 * @property {string} back
 * @property {string} follow   above the code
 * @property {string} address
 * @property {string} at
 */

const BACK_EARLIER_MS = 5 * 60_000;
const WORTH_LEAVING_MS = 20 * 60_000;

/**
 * Return the lines of a slip. The patient reads them: their language is the patient's, or else the site's.
 *
 * @param {Slip} slip
 * @param {number} now
 * @returns {Promise<SlipTexts>}
 */
export async function slipTexts(slip, now) {
  const wanted = [slip.language, slip.site_language];
  const locale = await loadLocale(wanted);
  const time = (/** @type {number} */ instant) => locale.time(instant, slip.time_zone);
  const queue = nameIn(slip.queue, slip.queue_names, readingOf(wanted));
  const { expect_from: from, expect_until: until } = slip;
  return {
    locale,
    site: slip.site,
    queue: slip.party > 1 ? `${queue} ${locale.text("desk.party", { n: slip.party })}` : queue,
    label: slip.label,
    range: from === null || until === null ? "" : locale.text("desk.slip.range", { from: time(from), until: time(until) }),
    ahead: slip.ahead === null ? "" : locale.text("desk.slip.ahead", { n: slip.ahead }),
    back: from === null ? "" : returnAdvice(from),
    follow: locale.text("desk.slip.follow"),
    address: slip.address,
    at: locale.text("desk.slip.issued", { time: time(slip.opened_at) }),
  };

  /** Return when to be back: five minutes before the expected time, or to stay if that is within 20 minutes. @param {number} expected */
  function returnAdvice(expected) {
    if (expected - now < WORTH_LEAVING_MS) return locale.text("desk.slip.stay");
    return locale.text("desk.slip.back", { time: time(expected - BACK_EARLIER_MS) });
  }
}

/** Return the address of a ticket's code as a picture. @param {string} token */
export const codeAddress = (token) => `/api/v1/tickets/${encodeURIComponent(token)}/qr.svg`;
