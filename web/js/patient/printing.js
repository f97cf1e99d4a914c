import { find, setText } from "../shared/dom.js";
import { formatDay, formatTime } from "../shared/i18n.js";

/**
 * Print the ticket with its QR code and the time of printing.
 *
 * @param {import("./page.js").TicketPage} page
 */
export function connectPrinting(page) {
  const stamp = () => {
    const zone = page.ticket?.time_zone;
    const now = page.connection.now();
    setText(find("[data-printed]"), `${formatDay(now, zone)}, ${formatTime(now, zone)}`);
  };
  find("[data-print]").addEventListener("click", async () => {
    /** @type {HTMLImageElement} */
    const code = find("[data-code]");
    if (code.hidden) {
      code.src = `/api/v1/tickets/${encodeURIComponent(page.token)}/qr.svg`;
      await code.decode().then(() => (code.hidden = false)).catch(() => {});
    }
    stamp();
    window.print();
  });
  window.addEventListener("beforeprint", stamp);
}
