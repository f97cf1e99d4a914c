import { Orders } from "../desk/orders.js";
import { followAsStaff, leaveToSignIn } from "../desk/staff-session.js";
import { offsetAt, useClock } from "../shared/i18n.js";
import { dateAfter, localAt } from "../shared/local-time.js";
import { calendarOf } from "./calendar.js";
import { firstDate } from "./grid.js";

/**
 * @typedef {import("../live/connection.js").Connection} Connection
 * @typedef {import("../desk/orders.js").Step} Step
 * @typedef {import("../shared/session.js").Site} Site
 * @typedef {import("../desk/appointments.js").Appointment} Appointment
 * @typedef {{date: string | null, days: 1 | 7, provider: number | null}} Choice  `date` null: today, by the site's clock
 */

/**
 * The state of the calendar's page: the dates that it follows, the provider, and the chosen appointment. Other dates are
 * another view, so they have another connection.
 *
 * Event: `change` after any of them has changed; `state` after the state of the connection has changed.
 */
export class CalendarState extends EventTarget {
  site;
  may;
  /** @type {Choice} */
  choice;
  /** @type {Connection} */
  connection;
  /** @type {Orders} */
  orders;
  calendar = calendarOf(new Map());
  /** The present date by the clock of the site. */
  today = new Date().toISOString().slice(0, 10);
  /** @type {number | null} */
  selectedId = null;
  /** Whether the view of the chosen dates has come. */
  ready = false;

  /** @param {{site: Site, may: (action: string) => boolean, choice: Choice}} parts */
  constructor({ site, may, choice }) {
    super();
    this.site = site;
    this.may = may;
    this.choice = choice;
    [this.connection, this.orders] = this.#follow();
  }

  /** The first date that the page shows. */
  get first() {
    return firstDate(this.date, this.choice.days);
  }

  /** The chosen date. */
  get date() {
    return this.choice.date ?? this.today;
  }

  /** The provider whose days the page shows: of a week always one. @returns {number | null} */
  get provider() {
    const { provider, days } = this.choice;
    const { providers } = this.calendar;
    if (provider !== null && (providers.length === 0 || providers.some(({ id }) => id === provider))) return provider;
    return days === 1 ? null : (providers[0]?.id ?? null);
  }

  /** @type {Appointment | null} */
  get selected() {
    return this.find(this.selectedId ?? 0);
  }

  /** @param {number} id @returns {Appointment | null} */
  find(id) {
    return this.calendar.appointments.find((each) => each.id === id) ?? null;
  }

  /** The step that "undo" takes back: the last one of this page. @returns {Step | null} */
  undoStep() {
    const { last } = this.orders;
    return last !== null && last.until > this.connection.now() ? last : null;
  }

  /** @param {number | null} id */
  select(id) {
    if (this.selectedId === id) return;
    this.selectedId = id;
    this.changed();
  }

  /**
   * Show other dates or another provider.
   *
   * @param {Partial<Choice>} choice
   */
  choose(choice) {
    const before = `${this.first} ${this.choice.days}`;
    this.choice = { ...this.choice, ...choice };
    if (`${this.first} ${this.choice.days}` !== before) this.#refollow();
    else this.changed();
  }

  /** Show the dates so many views later. @param {number} views  negative: earlier */
  step(views) {
    this.choose({ date: dateAfter(this.date, views * this.choice.days) });
  }

  /** Tell every part of the page that something has changed. */
  changed() {
    this.dispatchEvent(new Event("change"));
  }

  #refollow() {
    this.connection.close();
    this.selectedId = null;
    this.ready = false;
    [this.connection, this.orders] = this.#follow();
    this.changed();
    this.dispatchEvent(new Event("state"));
  }

  /** @returns {[Connection, Orders]} */
  #follow() {
    const { first } = this;
    const { days, date } = this.choice;
    const address = `/live/sites/${this.site.id}/calendar?date=${first}&days=${days}`;
    const { connection } = followAsStaff(address, date === null && days === 1 ? `calendar:${this.site.id}` : null);
    const orders = new Orders(connection, leaveToSignIn);
    connection.addEventListener("view", () => {
      if (connection === this.connection) this.#readView();
    });
    connection.addEventListener("state", () => {
      if (connection === this.connection) this.dispatchEvent(new Event("state"));
    });
    orders.addEventListener("change", () => {
      this.dispatchEvent(new Event("state"));
      this.changed(); // the command may be one that can be undone
    });
    return [connection, orders];
  }

  /** Return the present date by the clock of the site. @param {{time_zone: string, business_day: string}} site */
  #dateAt(site) {
    const now = this.connection.now();
    const offset = offsetAt(site.time_zone, now);
    return offset === undefined ? site.business_day : localAt(now, offset).slice(0, 10);
  }

  #readView() {
    const { cells } = this.connection.view;
    const site = cells.get("site");
    useClock(site?.clock);
    // The date is the site's: the device's was only a guess. At night it is ahead of the business day.
    const today = site === undefined ? this.today : this.#dateAt(site);
    if (today !== this.today) {
      const before = this.first;
      this.today = today;
      if (this.first !== before) {
        this.#refollow();
        return;
      }
    }
    this.calendar = calendarOf(cells);
    this.ready = true;
    if (this.selectedId !== null && this.selected === null) this.selectedId = null;
    this.changed();
  }
}
