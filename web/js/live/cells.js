/**
 * The cells of each view as the server draws them (`server/domain/views/`), and how to read them out of a map.
 * Instants are milliseconds since 1970.
 *
 * @typedef {import("./view.js").Cells} Cells
 * @typedef {TicketCell & {ahead: number | null}} Ticket  with how many are ahead, which is a cell of its own
 *
 * Generated from the cells of the server's views:
 *
 * @typedef {"waiting" | "called" | "serving" | "completed" | "no_show" | "held" | "transferred" | "left" | "cancelled" |
 *   "expired"} EntryState
 * @typedef {"standard" | "assisted" | "urgent" | "emergency"} Priority
 * @typedef {"fetch_in_person" | "interpreter" | "step_free" | "chaperone"} Need
 * @typedef {"open" | "on_break" | "closed"} PointState
 * @typedef {"only" | "emergency" | "moved" | "longer" | "earlier" | "head_start" | "away"} WhyNext
 * @typedef {{name: string, time_zone: string, language: string, clock: "12" | "24", business_day: string,
 *   message: string | null}} Site
 * @typedef {{entry: number, label: string, name: string | null, born: number | null, queue: string,
 *   queue_names: Record<string, string>, priority: Priority, needs: Need[], language: string, party: number, away: number,
 *   delay: number}} RoomPatient
 * @typedef {Site & {names_on_display: boolean}} DeskSite
 * @typedef {{name: string | null, public_name: string, names: Record<string, string>, position: number}} DeskService
 * @typedef {{name: string, position: number}} DeskProvider
 * @typedef {{name: string, names: Record<string, string>, prefix: string, position: number, paused: boolean,
 *   service: number | null, capacity: number | null, joins_anew: boolean}} DeskQueue
 * @typedef {{entry: number, why: WhyNext, before: string | null, minutes: number}} NextOne
 * @typedef {{label: string, state: "left" | "held", absent_until: number | null}} Gone
 * @typedef {{name: string, names: Record<string, string>, queues: number[], position: number, state: PointState,
 *   entry: number | null, provider: number | null, unmet_needs: Need[], next: NextOne | null, gone: Gone | null}} DeskPoint
 * @typedef {{name: string, paired: boolean, connected: boolean, since: number | null, muted: boolean,
 *   version: string | null, lag: number | null, queues: number[], points: number[]}} DeskDisplay
 * @typedef {{name: string, paired: boolean}} DeskKiosk
 * @typedef {{label: string, state: "waiting" | "called" | "serving" | "no_show" | "held", queue: number,
 *   provider: number | null, point: number | null, rank: number[], priority: Priority, joined: number, since: number,
 *   calls: number, absent_until: number | null, away: number, delay: number, undo: string | null, undo_until: number | null,
 *   name: string | null, name_on_display: boolean | null, born: number | null, party: number, language: string,
 *   needs: Need[] | null, moved: boolean, wait_target: number | null, no_show_from: number | null,
 *   stands_until: number | null, expect_from: number | null, expect_until: number | null}} DeskEntry
 * @typedef {{name: string, names: Record<string, string>, state: PointState, queues: string[], provider: string | null,
 *   unmet_needs: Need[], gone: Gone | null}} RoomPoint
 * @typedef {RoomPatient & {state: "called" | "serving", since: number, calls: number, stands_until: number | null,
 *   undo: string | null, undo_until: number | null}} RoomGuest
 * @typedef {RoomPatient & {joined: number}} NextPatient
 * @typedef {{waiting: number, first: NextPatient[]}} RoomNext
 * @typedef {{served: number, no_shows: number}} RoomDay
 * @typedef {{name: string, names: Record<string, string>, prefix: string, position: number, waiting: number,
 *   next: string[], expect_from: number | null, expect_until: number | null, estimating: boolean}} DisplayQueue
 * @typedef {{name: string, names: Record<string, string>}} DisplayPoint
 * @typedef {{label: string, point: number, at: number, calls: number, name: string | null, language: string,
 *   stands_until: number | null}} OpenCall
 * @typedef {{entry: number, label: string, point: number, kind: "call" | "recall" | "withdrawn", at: number}} Announcement
 * @typedef {{entry?: number, label?: string, state: EntryState, queue?: string, queue_names?: Record<string, string>,
 *   service?: string | null, service_names?: Record<string, string>, provider?: string | null, point?: string | null,
 *   point_names?: Record<string, string>, since?: number, calls?: number, absent_until?: number | null, party?: number,
 *   language?: string, site?: string, time_zone?: string, clock?: "12" | "24", site_language?: string,
 *   expect_from?: number | null, expect_until?: number | null, estimating?: boolean, served?: boolean}} TicketCell
 * @typedef {{count: number}} Ahead
 *
 * End of the generated definitions.
 */

/**
 * @template T
 * @typedef {T & {id: number}} Known  a cell with the id from its key
 */

/**
 * Return all cells of a kind (`queue`, `entry`, ...), each with its id.
 *
 * @template {object} T
 * @param {Cells} cells
 * @param {string} kind
 * @returns {Known<T>[]}
 */
export function allOf(cells, kind) {
  const found = [];
  for (const [key, cell] of cells) {
    if (key.startsWith(`${kind}:`)) found.push(known(cell, Number(key.slice(kind.length + 1))));
  }
  return found;
}

/**
 * Return the ticket of a patient's view; undefined before its snapshot has come.
 *
 * @param {Cells} cells
 * @returns {Ticket | undefined}
 */
export function ticketOf(cells) {
  const ticket = cells.get("ticket");
  return ticket && { ...ticket, ahead: cells.get("ahead")?.count ?? null };
}

/** @type {WeakMap<object, any>} */
const withIds = new WeakMap();

/**
 * Return a cell with its id: for the same cell the same object, so that whoever draws it sees what has not changed.
 *
 * @template {object} T
 * @param {T} cell
 * @param {number} id
 * @returns {Known<T>}
 */
function known(cell, id) {
  let made = withIds.get(cell);
  if (made === undefined) withIds.set(cell, (made = { ...cell, id }));
  return made;
}

/**
 * Compare two of a site's queues or points: in the order in which the site has put them.
 *
 * @param {{position: number}} one
 * @param {{position: number}} other
 */
export const byPosition = (one, other) => one.position - other.position;

/**
 * Compare two entries by rank, element by element: the only order that entries of a queue ever have.
 *
 * @param {{rank: number[]}} one
 * @param {{rank: number[]}} other
 */
export function byRank(one, other) {
  // A desk compares some thousands of times for each change: nothing is made for it.
  for (let index = 0; index < one.rank.length; index += 1) {
    const difference = (one.rank[index] ?? 0) - (other.rank[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
