import { find, setText } from "../shared/dom.js";
import { loadLocale, nameIn, readingOf } from "../shared/i18n.js";

/**
 * @typedef {{label: string, token: string, address: string, site: string, time_zone: string, queue: string,
 *   queue_names: Record<string, string>, language: string, site_language: string, party: number, opened_at: number,
 *   ahead: number | null, expect_from: number | null, expect_until: number | null}} Slip  as the API returns it
 */

const BACK_EARLIER_MS = 5 * 60_000;
const WORTH_LEAVING_MS = 20 * 60_000;

/**
 * Print a ticket's slip: the number, the expected time, when to be back, and the address of the ticket. The patient reads
 * it: its language is the patient's, or else the site's.
 *
 * @param {HTMLElement} paper  shown only in print
 * @param {Slip} slip
 * @param {number} now
 */
export async function printSlip(paper, slip, now) {
  const wanted = [slip.language, slip.site_language];
  const locale = await loadLocale(wanted);
  const time = (/** @type {number} */ instant) => locale.time(instant, slip.time_zone);
  const queue = nameIn(slip.queue, slip.queue_names, readingOf(wanted));
  const { expect_from: from, expect_until: until } = slip;
  Object.assign(paper, { lang: locale.tag, dir: locale.direction });
  locale.translate(paper);
  setText(find("[data-slip-site]", paper), slip.site);
  setText(find("[data-slip-queue]", paper), slip.party > 1 ? `${queue} ${locale.text("desk.party", { n: slip.party })}` : queue);
  setText(find("[data-slip-label]", paper), slip.label);
  setText(find("[data-slip-ahead]", paper), slip.ahead === null ? "" : locale.text("desk.slip.ahead", { n: slip.ahead }));
  setText(find("[data-slip-range]", paper), from === null || until === null ? "" : locale.text("desk.slip.range", { from: time(from), until: time(until) }));
  setText(find("[data-slip-back]", paper), from === null ? "" : returnAdvice(from));
  setText(find("[data-slip-at]", paper), locale.text("desk.slip.issued", { time: time(slip.opened_at) }));
  setText(find("[data-slip-address]", paper), slip.address);
  const code = /** @type {HTMLImageElement} */ (find("[data-slip-code]", paper));
  code.src = `/api/v1/tickets/${encodeURIComponent(slip.token)}/qr.svg`;
  // Print the slip even without the QR code: it has the address as text.
  code.hidden = !(await code.decode().then(() => true, () => false));
  paper.dataset.slip = slip.label;
  window.print();

  /** Return when to be back: five minutes before the expected time, or to stay if that is within 20 minutes. @param {number} expected */
  function returnAdvice(expected) {
    if (expected - now < WORTH_LEAVING_MS) return locale.text("desk.slip.stay");
    return locale.text("desk.slip.back", { time: time(expected - BACK_EARLIER_MS) });
  }
}
