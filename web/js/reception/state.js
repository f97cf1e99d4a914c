import { CLEAR } from "../desk/orders.js";
import { useClock } from "../shared/i18n.js";
import { recall, remember } from "../shared/memory.js";
import { appointmentOf, deskOf, guestOf } from "./desk.js";

/**
 * @typedef {import("../live/connection.js").Connection} Connection
 * @typedef {import("../desk/orders.js").Orders} Orders
 * @typedef {import("../desk/orders.js").Step} Step
 * @typedef {import("../shared/session.js").Site} Site
 * @typedef {import("./desk.js").Entry} Entry
 * @typedef {import("./desk.js").Point} Point
 */

export const DELAY_ANNOUNCED = "delay-announced"; // the step of the site itself

/**
 * The state of the reception page: the desk of one site, the user's point, the selected entry and the search.
 *
 * Event: `change` after any of them has changed.
 */
export class DeskState extends EventTarget {
  site;
  /** Whether the user may do an action, by its command's name. */
  may;
  connection;
  orders;
  desk;
  /** The id of the user's own point. @type {number | null} */
  pointId;
  /** @type {number | null} */
  selectedId = null;
  /** The id of the selected appointment, while no entry is selected. @type {number | null} */
  appointmentId = null;
  searchText = "";
  #pointKey;

  /** @param {{site: Site, may: (action: string) => boolean, connection: Connection, orders: Orders}} parts */
  constructor({ site, may, connection, orders }) {
    super();
    this.site = site;
    this.may = may;
    this.connection = connection;
    this.orders = orders;
    this.desk = deskOf(connection.view.cells);
    this.#pointKey = `point:${site.id}`;
    this.pointId = Number(recall(this.#pointKey)) || null;
    connection.addEventListener("view", () => this.#readView());
  }

  /** The user's own point. @type {Point | null} */
  get point() {
    return this.desk.points.find(({ id }) => id === this.pointId) ?? null;
  }

  /** The selected entry: also the one of a selected appointment whose patient has checked in. @type {Entry | null} */
  get selected() {
    const id = this.selectedId ?? this.#appointment?.entry ?? null;
    return id === null ? null : (this.desk.entries.get(id) ?? null);
  }

  /** The selected appointment that has no entry in a queue. @type {import("./desk.js").Appointment | null} */
  get booking() {
    const appointment = this.#appointment;
    return appointment === null || this.desk.entries.has(appointment.entry ?? 0) ? null : appointment;
  }

  /** The selected appointment, or else the one for which the patient of the actions came. @type {import("./desk.js").Appointment | null} */
  get attended() {
    return this.#appointment ?? appointmentOf(this.desk, this.subject);
  }

  get #appointment() {
    return this.appointmentId === null ? null : (this.desk.appointments.find(({ id }) => id === this.appointmentId) ?? null);
  }

  /** The entry that an action is for: the selected one, or else the guest of the user's point. @type {Entry | null} */
  get subject() {
    return this.selected ?? guestOf(this.desk, this.point);
  }

  /** The user may add, pair and sign out displays. */
  get maySetUpDevices() {
    return this.may("pair-devices");
  }

  /**
   * Return the step that "undo" takes back: the last one of the selected entry, or else the last one of this page.
   *
   * @returns {Step | null}
   */
  undoStep() {
    const now = this.connection.now();
    const entry = this.selected;
    const last = this.orders.last !== null && this.orders.last.until > now ? this.orders.last : null;
    const told = last?.step === CLEAR ? last : null;
    if (entry?.undo && entry.undo_until !== null && entry.undo_until > now && entry.undo_until > (told?.until ?? 0)) {
      return { entry: entry.id, label: entry.label, step: entry.undo, until: entry.undo_until };
    }
    if (last === null || told !== null) return told;
    if (last.step === DELAY_ANNOUNCED) return this.desk.site?.late ? last : null;
    // After a later step from another screen, undo would take back that one instead.
    const there = this.desk.entries.get(last.entry);
    return there !== undefined && there.undo !== last.step ? null : last;
  }

  /** @param {number | null} id  of an entry */
  select(id) {
    if (this.selectedId === id && this.appointmentId === null) return;
    this.selectedId = id;
    this.appointmentId = null;
    this.changed();
  }

  /** @param {number | null} id  of an appointment */
  selectAppointment(id) {
    if (this.appointmentId === id && this.selectedId === null) return;
    this.appointmentId = id;
    this.selectedId = null;
    this.changed();
  }

  /** Remember another point as the user's own. @param {number | null} id */
  choosePoint(id) {
    this.pointId = id;
    remember(this.#pointKey, id === null ? "" : String(id));
    this.changed();
  }

  /** @param {string} text */
  search(text) {
    this.searchText = text;
    this.changed();
  }

  /** Tell every part of the page that something has changed. */
  changed() {
    if (this.selectedId !== null && !this.desk.entries.has(this.selectedId)) this.selectedId = null;
    this.dispatchEvent(new Event("change"));
  }

  #readView() {
    useClock(this.connection.view.cells.get("site")?.clock);
    this.desk = deskOf(this.connection.view.cells);
    if (this.pointId !== null && this.point === null) this.pointId = null;
    this.changed();
  }
}
