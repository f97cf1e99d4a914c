import { find, setText } from "../shared/dom.js";
import { codeAddress, slipTexts } from "../shared/slip.js";

const LINES = /** @type {const} */ (["site", "queue", "label", "ahead", "range", "back", "at", "address"]);

/**
 * Print a ticket's slip: the number, the expected time, when to be back, and the address of the ticket.
 *
 * @param {HTMLElement} paper  shown only in print
 * @param {import("../shared/slip.js").Slip} slip
 * @param {number} now
 */
export async function printSlip(paper, slip, now) {
  const texts = await slipTexts(slip, now);
  const { locale } = texts;
  Object.assign(paper, { lang: locale.tag, dir: locale.direction });
  locale.translate(paper);
  for (const line of LINES) setText(find(`[data-slip-${line}]`, paper), texts[line]);
  const code = /** @type {HTMLImageElement} */ (find("[data-slip-code]", paper));
  code.src = codeAddress(slip.token);
  // Print the slip even without the QR code: it has the address as text.
  code.hidden = !(await code.decode().then(() => true, () => false));
  paper.dataset.slip = slip.label;
  window.print();
}
