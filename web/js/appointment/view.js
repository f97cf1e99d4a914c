import { find, setText } from "../shared/dom.js";
import { hasText, nameIn, t } from "../shared/i18n.js";
import { dayOf, localAt, offsetName, timeAt, timeOf } from "../shared/local-time.js";
import { request } from "../shared/request.js";

/**
 * @typedef {import("../ticket/page.js").TicketPage} TicketPage
 * @typedef {import("../live/cells.js").PatientAppointment} Appointment
 * @typedef {{code: string, kiosk: boolean, booking_page: string | null, provider_id: number,
 *   providers: {id: number, name: string}[]}} More  what the stream does not tell
 */

/** The check-in as it is now. `over`: only staff may do it. */
/** @typedef {"later" | "today" | "now" | "over"} CheckInTime */

const LETTERS = 3; // of the code, between two spaces

/** Paints the appointment, as long as there is no ticket. */
export class AppointmentView {
  #page;
  #part = find(".appointment");
  /** The appointment was booked a moment ago. */
  #isNew;
  /** @type {More | null} */
  more = null;
  /** What happened to the patient's last action, in the language of now. @type {() => {text: string, refused: boolean}} */
  result = () => ({ text: "", refused: false });

  /** @param {TicketPage} page @param {boolean} isNew */
  constructor(page, isNew) {
    this.#page = page;
    this.#isNew = isNew;
  }

  /** The address below which the server answers for this appointment. */
  get address() {
    return `/api/v1/appointments/${encodeURIComponent(this.#page.token)}`;
  }

  /** Ask for the code of the kiosk, and for the providers. */
  async ask() {
    const answer = await request(this.address, { cache: "no-store" }).catch(() => null);
    if (answer?.ok !== true) return;
    this.more = await answer.json().catch(() => this.more);
    this.paint();
  }

  /** Paint the appointment, once it is known. */
  paint() {
    const { appointment, ticket, connection } = this.#page;
    this.#part.hidden = appointment === undefined || ticket !== undefined;
    if (appointment === undefined) return;
    if (ticket !== undefined) {
      this.#paintCounts(appointment, ticket.counts_from ?? null);
      return;
    }
    const now = connection.now();
    const booked = appointment.state === "booked";
    this.#part.dataset.state = appointment.state;
    setText(find(".ticket-site"), appointment.site);
    const { headline, lead } = this.#words(appointment);
    setText(find("[data-headline]", this.#part), headline);
    setText(find("[data-lead]", this.#part), lead);
    find("[data-lead]", this.#part).hidden = lead === "";
    document.title = booked ? `${whenOf(appointment)} · ${appointment.site}` : `${headline} · ${appointment.site}`;
    setText(find("[data-day]", this.#part), dayOf(appointment.local_start));
    setText(find("[data-time]", this.#part), timeIn(appointment));
    const what = [nameIn(appointment.service, appointment.service_names), t("appointment.with", { name: appointment.provider })];
    setText(find("[data-what]", this.#part), what.join(" · "));
    this.#paintOffer(appointment, now);
    this.#paintArrival(appointment, now);
    this.#paintActions(appointment, now);
    const ended = !booked && appointment.state !== "checked_in" && appointment.state !== "held";
    const again = /** @type {HTMLAnchorElement} */ (find("[data-again]", this.#part));
    again.hidden = !ended || this.more?.booking_page == null;
    if (this.more?.booking_page != null) again.href = this.more.booking_page;
    const { text, refused } = this.result();
    const told = find("[data-appointment-told]", this.#part);
    setText(told, text);
    told.classList.toggle("is-refused", refused);
  }

  /**
   * @param {Appointment} appointment
   * @returns {{headline: string, lead: string}}
   */
  #words({ state, ended_by: by }) {
    if (state === "booked") {
      const words = this.#isNew ? "appointment.new" : "appointment.title";
      return { headline: t(words), lead: this.#isNew ? t("appointment.new.lead") : "" };
    }
    const lead = state === "cancelled" && by === "staff" ? "appointment.cancelled.staff.lead" : `appointment.${state}.lead`;
    return { headline: t(hasText(`appointment.${state}`) ? `appointment.${state}` : "appointment.title"), lead: t(lead) };
  }

  /** @param {Appointment} appointment @param {number} now */
  #paintOffer({ offer, offset_minutes: offset }, now) {
    const part = find("[data-offer]", this.#part);
    part.hidden = offer === null || offer.until <= now;
    if (offer === null) return;
    setText(find("[data-offer-time]", part), t("appointment.offer.at", { day: dayOf(offer.local_start), time: timeOf(offer.local_start) }));
    setText(find("[data-offer-until]", part), t("appointment.offer.until", { time: timeAt(offer.until, offset) }));
  }

  /** @param {Appointment} appointment @param {number} now */
  #paintArrival(appointment, now) {
    const part = find("[data-arrival]", this.#part);
    part.hidden = appointment.state !== "booked";
    if (part.hidden) return;
    const when = checkInTime(appointment, now);
    const from = timeAt(appointment.check_in_from, appointment.offset_minutes);
    const texts = {
      later: () => t("appointment.check_in.day", { time: from }),
      today: () => t("appointment.check_in.from", { time: from }),
      now: () => t("appointment.check_in.now"),
      over: () => t("appointment.check_in.over"),
    };
    setText(find("[data-arrival-text]", part), texts[when]());
    find("[data-check-in]", part).hidden = when !== "now";
    const code = find("[data-code-part]", part);
    code.hidden = this.more === null || !this.more.kiosk || when === "over";
    if (this.more === null || code.hidden) return;
    setText(find("[data-letters]", code), inGroups(this.more.code));
    const image = /** @type {HTMLImageElement} */ (find("[data-qr]", code));
    if (image.hidden) {
      image.src = `${this.address}/qr.svg`;
      image.hidden = false;
    }
  }

  /** @param {Appointment} appointment @param {number} now */
  #paintActions(appointment, now) {
    const part = find("[data-actions]", this.#part);
    part.hidden = appointment.state !== "booked";
    if (part.hidden) return;
    const movable = now <= appointment.cancel_until;
    find("[data-move]", part).hidden = !movable;
    find("[data-cancel]", part).hidden = now >= appointment.starts;
    find("[data-earlier-field]", part).hidden = !movable;
    const earlier = /** @type {HTMLInputElement} */ (find("[data-earlier]", part));
    if (!earlier.disabled) earlier.checked = appointment.wants_earlier;
    const local = localAt(appointment.cancel_until, appointment.offset_minutes);
    setText(
      find("[data-until]", part),
      now >= appointment.starts ? "" : movable ? t("appointment.move.until", { day: dayOf(local), time: timeOf(local) }) : t("appointment.move.over"),
    );
    /** @type {HTMLAnchorElement} */ (find("[data-calendar]", part)).href = `${this.address}/calendar.ics`;
  }

  /** @param {Appointment} appointment @param {number | null} from */
  #paintCounts({ offset_minutes: offset }, from) {
    const line = find("[data-counts]");
    line.hidden = from === null || this.#page.ticket?.state !== "waiting";
    if (from !== null) setText(line, t("appointment.counts", { time: timeAt(from, offset) }));
  }
}

/**
 * Return what a patient can do about the check-in.
 *
 * @param {Pick<Appointment, "check_in_from" | "check_in_until" | "starts" | "offset_minutes">} appointment
 * @param {number} now
 * @returns {CheckInTime}
 */
export function checkInTime({ check_in_from: from, check_in_until: until, starts, offset_minutes: offset }, now) {
  if (now > until) return "over";
  if (now >= from) return "now";
  return localAt(now, offset).slice(0, 10) === localAt(starts, offset).slice(0, 10) ? "today" : "later";
}

/** Return the day and the time of an appointment. @param {Pick<Appointment, "local_start">} appointment */
const whenOf = ({ local_start: local }) => t("appointment.offer.at", { day: dayOf(local), time: timeOf(local) });

/**
 * Return the time of an appointment. The second of two equal local times has its offset.
 *
 * @param {Pick<Appointment, "local_start" | "fold" | "offset_minutes">} appointment
 */
const timeIn = ({ local_start: local, fold, offset_minutes: offset }) => (fold === 0 ? timeOf(local) : `${timeOf(local)} (${offsetName(offset)})`);

/** @param {string} code */
const inGroups = (code) => code.match(new RegExp(`.{1,${LETTERS}}`, "g"))?.join(" ") ?? code;
