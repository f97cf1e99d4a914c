import { find, setText } from "../shared/dom.js";
import { formatTime, t } from "../shared/i18n.js";

/**
 * @typedef {{label: string, token: string, site: string, time_zone: string, queue: string, party: number, opened_at: number,
 *   ahead: number | null, expect_from: number | null, expect_until: number | null}} Slip  as the API has it
 */

const BACK_EARLIER_MS = 5 * 60_000;
const WORTH_LEAVING_MS = 20 * 60_000;

/**
 * Return when a patient should be back, in words: a little before they are expected; or that it is not worth going.
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
 * Print a ticket's slip: the number, what to expect, when to be back, and how to follow it.
 *
 * @param {HTMLElement} paper  shown only in print
 * @param {Slip} slip
 * @param {number} now
 */
export async function printSlip(paper, slip, now) {
  const zone = slip.time_zone;
  const address = new URL(`/t/${slip.token}`, location.href).href;
  setText(find("[data-slip-site]", paper), slip.site);
  setText(find("[data-slip-queue]", paper), slip.party > 1 ? `${slip.queue} ${t("desk.party", { n: slip.party })}` : slip.queue);
  setText(find("[data-slip-label]", paper), slip.label);
  setText(find("[data-slip-ahead]", paper), slip.ahead === null ? "" : t("desk.slip.ahead", { n: slip.ahead }));
  const { expect_from: from, expect_until: until } = slip;
  setText(find("[data-slip-range]", paper), from === null || until === null ? "" : t("desk.slip.range", { from: formatTime(from, zone), until: formatTime(until, zone) }));
  setText(find("[data-slip-back]", paper), returnAdvice(from, now, zone));
  setText(find("[data-slip-at]", paper), t("desk.slip.issued", { time: formatTime(slip.opened_at, zone) }));
  setText(find("[data-slip-address]", paper), address);
  const code = /** @type {HTMLImageElement} */ (find("[data-slip-code]", paper));
  code.src = `/api/v1/tickets/${encodeURIComponent(slip.token)}/qr.svg`;
  // Without its code the slip still has the address: it is printed all the same.
  code.hidden = !(await code.decode().then(() => true, () => false));
  paper.dataset.slip = slip.label;
  window.print();
}
