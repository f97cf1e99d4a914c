import { showLive } from "../components/live-mark.js";
import { ticketOf } from "../live/cells.js";
import { Connection } from "../live/connection.js";
import { find, setText } from "../shared/dom.js";
import { loadLanguage, nameIn, preferredLanguages, t, useClock } from "../shared/i18n.js";
import { Sound } from "../shared/sound.js";
import { Push } from "./push.js";
import { doubtOf, isAway, showTicket, ticketTexts, wasCalled } from "./ticket-view.js";
import { TurnAlert } from "./turn-alert.js";

/**
 * @typedef {import("../live/cells.js").Ticket} Ticket
 * @typedef {import("../shared/offline.js").Saved} Saved
 * @typedef {import("../shared/offline.js").SavedView} SavedView
 * @typedef {{text: string, refused: boolean}} Result  how the patient's last action went
 */

export const NO_RESULT = () => ({ text: "", refused: false });

/**
 * One ticket: the page follows it, paints it, and alerts the patient when it is their turn. On the page of an appointment the
 * ticket comes with the check-in.
 *
 * Events: `language` after the page's language has changed, before it is painted again; `paint` before the ticket is painted.
 */
export class TicketPage extends EventTarget {
  token;
  connection;
  /** What the token opens. */
  kind;
  main = find(".ticket");
  sound = new Sound();
  turnAlert;
  push;
  /** Returns the result of the last action, in the language of now. @type {() => Result} */
  result = NO_RESULT;
  #store;
  #saved;
  /** How many were ahead when this page first showed the stage. */
  #mostAhead;
  /** The entry of the stage: a visit goes from queue to queue. @type {number | undefined} */
  #stage;

  /**
   * @param {string} token
   * @param {SavedView} store     where to save the ticket
   * @param {Saved | null} saved  the ticket of the last visit
   * @param {"tickets" | "appointments"} [kind]
   */
  constructor(token, store, saved, kind = "tickets") {
    super();
    this.token = token;
    this.kind = kind;
    this.#store = store;
    this.#saved = saved;
    this.#mostAhead = saved?.more?.mostAhead ?? 0;
    this.#stage = saved?.more?.stage;
    this.push = new Push(kind, token);
    this.turnAlert = new TurnAlert(this.sound, saved?.more?.heard);
    this.connection = new Connection(`/live/${kind}/${encodeURIComponent(token)}`);
    this.connection.addEventListener("view", () => void this.#showView());
  }

  get ticket() {
    const ticket = ticketOf(this.connection.view.cells);
    return ticket && inReadersWords(ticket);
  }

  /** The appointment of the page, or undefined on the page of a ticket alone. */
  get appointment() {
    return this.connection.view.cells.get("appointment");
  }

  /** What the page is about: its language, its clock and its zone. */
  get subject() {
    return this.ticket ?? this.appointment;
  }

  /** Show the saved ticket until the server answers. */
  showSaved() {
    if (this.#saved === null) return;
    const { cells, seq, at } = this.#saved;
    document.body.dataset.kept = "";
    this.connection.showSaved({ cells: new Map(Object.entries(cells)), seq }, at);
  }

  paintLive() {
    this.main.dataset.live = this.connection.state;
    const page = this.kind === "appointments" && this.ticket === undefined ? "appointment" : "patient";
    showLive(this.connection, {
      page,
      mark: find(".live-mark"),
      notice: find(".notice"),
      zone: this.subject?.time_zone,
      stale: navigator.onLine ? `${page}.stale` : `${page}.offline`,
    });
  }

  /** Paint the ticket, once it is known. */
  paint() {
    this.dispatchEvent(new Event("paint"));
    const { ticket } = this;
    this.main.hidden = ticket === undefined;
    if (ticket === undefined) return;
    this.#countAhead(ticket);
    const now = this.connection.now();
    showTicket(this.main, ticket, { mostAhead: this.#mostAhead, now });
    setText(find(".ticket-site"), ticket.site ?? "");
    showButtons(ticket, now);
    this.#paintResult();
    this.#paintTurn(ticket, now);
  }

  /** Paint the page in another language. */
  repaint() {
    this.dispatchEvent(new Event("language"));
    this.paintLive();
    this.paint();
  }

  /** The patient is coming: stop the alert. */
  stopAlert() {
    this.turnAlert.stop();
    this.paint();
    this.#save();
  }

  async #showView() {
    const { subject } = this;
    useClock(subject?.clock);
    const wanted = preferredLanguages(subject?.language, subject?.site_language);
    if (subject?.language !== undefined && (await loadLanguage(wanted).catch(() => false))) this.repaint();
    this.paint();
    this.#save();
  }

  /** @param {Ticket} ticket */
  #countAhead({ entry, ahead }) {
    if (entry !== this.#stage) {
      this.#stage = entry;
      this.#mostAhead = 0;
    }
    this.#mostAhead = Math.max(this.#mostAhead, ahead ?? 0);
  }

  #paintResult() {
    const { text, refused } = this.result();
    const line = find("[data-told]");
    setText(line, text);
    line.classList.toggle("is-refused", refused);
  }

  /**
   * Alert the patient of a call, and show that it is their turn.
   *
   * @param {Ticket} ticket
   * @param {number} now
   */
  #paintTurn(ticket, now) {
    const { turnAlert } = this;
    const called = ticket.state === "called" && doubtOf(ticket) === null;
    if (called && document.body.dataset.kept === undefined) {
      turnAlert.call(`${ticket.entry}.${ticket.since}.${ticket.calls}`, { label: ticket.label ?? "", point: ticket.point ?? "" });
    } else if (!called) turnAlert.stop();
    this.main.toggleAttribute("data-calling", turnAlert.calling);
    find("[data-coming]").hidden = !turnAlert.calling;
    if (!turnAlert.calling) {
      const { headline } = ticketTexts(ticket, now);
      document.title = ticket.label ? `${headline} · ${ticket.label}` : headline;
    }
  }

  #save() {
    const { cells, seq } = this.connection.view;
    const more = { mostAhead: this.#mostAhead, stage: this.#stage, heard: this.turnAlert.heard };
    this.#store.saveSoon(() => ({ at: this.connection.heardAt, seq, cells: Object.fromEntries(cells), more }));
  }
}

/**
 * Return a ticket with its names in the reader's language.
 *
 * @param {Ticket} ticket
 * @returns {Ticket}
 */
const inReadersWords = (ticket) => ({
  ...ticket,
  queue: nameIn(ticket.queue ?? "", ticket.queue_names),
  service: ticket.service && nameIn(ticket.service, ticket.service_names),
  point: ticket.point && nameIn(ticket.point, ticket.point_names),
});

/**
 * Show the buttons that the ticket's state allows.
 *
 * @param {Ticket} ticket
 * @param {number} now
 */
function showButtons(ticket, now) {
  const waiting = ticket.state === "waiting";
  const away = isAway(ticket, now);
  const called = ticket.state === "called";
  find("[data-here]").hidden = !away;
  find("[data-late]").hidden = !waiting && !called && !away;
  setText(find("[data-late]"), t(wasCalled(ticket) ? "patient.need" : "patient.late"));
  find("[data-leave]").hidden = !waiting && !called && ticket.state !== "held";
  find("[data-print]").hidden = !waiting;
}
