import { useClock } from "../shared/i18n.js";
import { roomOf } from "./room.js";

/**
 * @typedef {import("../live/connection.js").Connection} Connection
 * @typedef {import("../desk/orders.js").Orders} Orders
 * @typedef {import("../desk/orders.js").Step} Step
 * @typedef {import("../shared/session.js").Site} Site
 */

/** The state of a room's page. Event: `change` after the view has changed, or a command has ended. */
export class RoomState extends EventTarget {
  site;
  pointId;
  connection;
  orders;
  room;

  /** @param {{site: Site, pointId: number, connection: Connection, orders: Orders}} parts */
  constructor({ site, pointId, connection, orders }) {
    super();
    this.site = site;
    this.pointId = pointId;
    this.connection = connection;
    this.orders = orders;
    this.room = roomOf(connection.view.cells);
    connection.addEventListener("view", () => {
      useClock(connection.view.cells.get("site")?.clock);
      this.room = roomOf(connection.view.cells);
      this.changed();
    });
  }

  /**
   * Return the step that "undo" takes back: the guest's last one, or else the last one of this page.
   *
   * @returns {Step | null}
   */
  undoStep() {
    const now = this.connection.now();
    const { guest } = this.room;
    if (guest?.undo && guest.undo_until !== null && guest.undo_until > now) {
      return { entry: guest.entry, label: guest.label, step: guest.undo, until: guest.undo_until };
    }
    const { last } = this.orders;
    return guest === null && last !== null && last.until > now ? last : null;
  }

  /** Tell every part of the page that something has changed. */
  changed() {
    this.dispatchEvent(new Event("change"));
  }
}
