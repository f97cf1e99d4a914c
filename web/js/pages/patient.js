import { showLive } from "../components/live-mark.js";
import { showTicket } from "../components/ticket.js";
import { find } from "../dom.js";
import { speak } from "../i18n.js";
import { follow } from "../live/connection.js";

/** @typedef {import("../live/cells.js").Ticket} Ticket */

await speak();

const main = find("main");
const token = location.pathname.split("/")[2] ?? "";
const connection = follow(`/live/tickets/${encodeURIComponent(token)}`);
const ticketShown = () => /** @type {Ticket | undefined} */ (connection.view.cells.get("ticket"));
const live = () =>
  showLive(connection, {
    page: "patient",
    mark: find(".live-mark"),
    notice: find(".notice"),
    zone: ticketShown()?.time_zone,
  });
let mostAhead = 0;
let callsFelt = -1;

connection.addEventListener("view", () => {
  const ticket = ticketShown();
  if (ticket === undefined) return;
  mostAhead = Math.max(mostAhead, ticket.ahead ?? 0);
  showTicket(main, ticket, mostAhead);
  main.hidden = false;
  if (ticket.state === "called") feel(ticket.calls ?? 1);
});
connection.addEventListener("state", () => {
  main.dataset.live = connection.state;
  live();
});
live();

/** Buzz once for each call and recall. A browser wants a touch before it lets a page do so, and complains if asked. */
function feel(/** @type {number} */ calls) {
  if (calls > callsFelt && navigator.userActivation?.hasBeenActive) navigator.vibrate?.([300, 150, 300]);
  callsFelt = calls;
}
