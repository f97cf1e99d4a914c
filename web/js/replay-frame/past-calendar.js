import { calendarOf } from "../calendar/calendar.js";
import { offsetAt, useClock } from "../shared/i18n.js";
import { localAt } from "../shared/local-time.js";

/** In place of the state of a live calendar: one past date with all providers, and nothing chosen. */
export class PastCalendar extends EventTarget {
  site;
  connection;
  orders;
  /** @type {{date: string | null, days: 1, provider: null}} */
  choice = { date: null, days: 1, provider: null };
  calendar = calendarOf(new Map());
  provider = null;
  selected = null;
  selectedId = null;
  ready = false;
  today = new Date().toISOString().slice(0, 10);

  /**
   * @param {import("../shared/session.js").Site} site
   * @param {any} connection
   * @param {any} orders
   */
  constructor(site, connection, orders) {
    super();
    this.site = site;
    this.connection = connection;
    this.orders = orders;
    connection.addEventListener("view", () => this.#read());
  }

  get first() {
    return this.date;
  }

  get date() {
    return this.choice.date ?? this.today;
  }

  may() {
    return false;
  }

  undoStep() {
    return null;
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  #read() {
    const { cells } = this.connection.view;
    const site = cells.get("site");
    useClock(site?.clock);
    this.today = localAt(this.connection.now(), offsetAt(this.site.time_zone, this.connection.now()) ?? 0).slice(0, 10);
    this.calendar = calendarOf(cells);
    this.choice.date = this.calendar.days[0]?.date ?? null;
    this.ready = true;
    this.changed();
  }
}
