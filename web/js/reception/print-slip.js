import { find, setText } from "../shared/dom.js";
import { formatTime, nameIn, t } from "../shared/i18n.js";

/**
 * @typedef {{label: string, token: string, address: string, site: string, time_zone: string, queue: string,
 *   queue_names: Record<string, string>, party: number, opened_at: number,
 *   ahead: number | null, expect_from: number | null, expect_until: number | null}} Slip  as the API returns it
 */

const BACK_EARLIER_MS = 5 * 60_000;
const WORTH_LEAVING_MS = 20 * 60_000;

/**
 * Return the advice when to be back: five minutes before the expected time, or to stay if that is within 20 minutes.
 *
 * @param {number | null} expectFrom
 * @param {number} now
 * @param {string} zone
 */
export function returnAdvice(expectFrom, now, zone) {
  if (expectFrom === null) return "";
  if (expectFrom - now < WORTH_LEAVING_MS) return t("desk.slip.stay");
  return t("desk.slip.back", { time: formatTime(expectFrom - BACK_EARLIER_MS, zone) });
}

/**
 * Print a ticket's slip: the number, the expected time, when to be back, and the address of the ticket.
 *
 * @param {HTMLElement} paper  shown only in print
 * @param {Slip} slip
 * @param {number} now
 */
export async function printSlip(paper, slip, now) {
  const zone = slip.time_zone;
  const queue = nameIn(slip.queue, slip.queue_names);
  setText(find("[data-slip-site]", paper), slip.site);
  setText(find("[data-slip-queue]", paper), slip.party > 1 ? `${queue} ${t("desk.party", { n: slip.party })}` : queue);
  setText(find("[data-slip-label]", paper), slip.label);
  setText(find("[data-slip-ahead]", paper), slip.ahead === null ? "" : t("desk.slip.ahead", { n: slip.ahead }));
  const { expect_from: from, expect_until: until } = slip;
  setText(find("[data-slip-range]", paper), from === null || until === null ? "" : t("desk.slip.range", { from: formatTime(from, zone), until: formatTime(until, zone) }));
  setText(find("[data-slip-back]", paper), returnAdvice(from, now, zone));
  setText(find("[data-slip-at]", paper), t("desk.slip.issued", { time: formatTime(slip.opened_at, zone) }));
  setText(find("[data-slip-address]", paper), slip.address);
  const code = /** @type {HTMLImageElement} */ (find("[data-slip-code]", paper));
  code.src = `/api/v1/tickets/${encodeURIComponent(slip.token)}/qr.svg`;
  // Print the slip even without the QR code: it has the address as text.
  code.hidden = !(await code.decode().then(() => true, () => false));
  paper.dataset.slip = slip.label;
  window.print();
}
