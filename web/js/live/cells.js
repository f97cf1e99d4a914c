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
 * @typedef {"only" | "emergency" | "moved" | "booked" | "longer" | "earlier" | "head_start" | "away"} WhyNext
 * @typedef {{since: number, minutes: number}} OffsetSince
 * @typedef {{name: string, time_zone: string, offsets: OffsetSince[], language: string, clock: "12" | "24",
 *   business_day: string, message: string | null}} Site
 * @typedef {{entry: number, label: string, name: string | null, born: number | null, queue: string,
 *   queue_names: Record<string, string>, priority: Priority, needs: Need[], language: string, party: number, away: number,
 *   delay: number, trial: boolean}} RoomPatient
 * @typedef {{minutes: number, since: number}} AnnouncedDelay
 * @typedef {Site & {names_on_display: boolean, sends_messages: boolean, late: AnnouncedDelay | null}} DeskSite
 * @typedef {{screen_paired: boolean, poster_printed: boolean, colleague_added: boolean, ticket_issued: boolean,
 *   ticket_called: boolean, hidden: boolean}} Checklist
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
 * @typedef {{name: string, paired: boolean, connected: boolean, since: number | null, version: string | null,
 *   lag: number | null, printer: "ready" | "no_paper" | "missing" | "fault" | null, queues: number[], printing: "none" |
 *   "browser" | "escpos", low: boolean, check_in: "off" | "code" | "birth", place: string, help_asked: number | null}}
 *   DeskKiosk
 * @typedef {{kind: "booked" | "moved" | "cancelled" | "reminder" | "freed-time" | "called" | "almost-your-turn" |
 *   "running-late", way: "sms" | "email" | "push", problem: "address" | "no-address" | "opted-out" | "undelivered" |
 *   "too-late" | "perhaps" | "not-sent", told: boolean}} UnreachedMessage
 * @typedef {{offline_from: number, offline_until: number}} Outage
 * @typedef {{label: string, state: "waiting" | "called" | "serving" | "no_show" | "held", queue: number,
 *   provider: number | null, point: number | null, rank: number[], priority: Priority, joined: number, since: number,
 *   calls: number, absent_until: number | null, away: number, delay: number, undo: string | null, undo_until: number | null,
 *   name: string | null, name_on_display: boolean | null, born: number | null, party: number, language: string,
 *   needs: Need[] | null, by_phone: boolean, moved: boolean, wait_target: number | null, no_show_from: number | null,
 *   stands_until: number | null, expect_from: number | null, expect_until: number | null,
 *   unreached: UnreachedMessage | null, doubt: Outage | null, trial: boolean}} DeskEntry
 * @typedef {{state: "held" | "booked" | "checked_in" | "fulfilled" | "no_show" | "cancelled", version: number,
 *   service: number, provider: number, point: number | null, local_start: string, offset_minutes: number, starts: number,
 *   ends: number, minutes: number, check_in_from: number, late_from: number, too_late_from: number,
 *   held_until: number | null, name: string | null, born: number | null, language: string | null, needs: Need[] | null,
 *   overbooked: string | null, wants_earlier: boolean, collides: boolean, series: number | null, entry: number | null,
 *   label: string | null, unreached: UnreachedMessage | null}} Appointment
 * @typedef {{name: string, names: Record<string, string>, position: number}} CalendarPoint
 * @typedef {{at: number, local: string, offset_minutes: number}} Edge
 * @typedef {{provider: number, services: number[], point: number | null, slot_minutes: number, capacity: number,
 *   begin: Edge, end: Edge}} OpenTimeOfDay
 * @typedef {{begin: Edge, end: Edge, turn: Edge | null, closed: boolean, open_times: OpenTimeOfDay[] | null}} CalendarDay
 * @typedef {{head_start_urgent: number, head_start_assisted: number, booking_lead: number, booking_grace: number,
 *   return_lead: number, recalls_before_no_show: number, minutes_before_no_show: number, minutes_call_stands: number,
 *   target_standard: number, target_assisted: number, target_urgent: number, names_on_display: boolean, region: string,
 *   clock: "auto" | "12" | "24", languages: string[], round_the_clock: boolean, joining: "off" | "presence" | "anywhere",
 *   joins_per_phone: number, joins_per_hour: number, phone_when_joining: "none" | "optional" | "required", booking: "off" |
 *   "on", check_in_from: number, check_in_until: number, cancel_until: number, message_ways: ("sms" | "email" | "push")[],
 *   reminders: number[], quiet_from: number, quiet_until: number, feedback: "off" | "on", hours: number[][],
 *   closed_on: string[]}} RulesOfSite
 * @typedef {Site & {day_turns_at_minutes: number, rules: RulesOfSite}} ConfigurationSite
 * @typedef {{name: string, position: number, practitioner: number | null}} ConfigurationProvider
 * @typedef {{name: string, names: Record<string, string>, prefix: string, position: number, paused: boolean,
 *   service: number | null, capacity: number | null, joins_anew: boolean, waiting: number}} ConfigurationQueue
 * @typedef {{name: string, names: Record<string, string>, queues: number[], position: number, state: PointState,
 *   provider: number | null, unmet_needs: Need[]}} ConfigurationPoint
 * @typedef {{provider: number, services: number[], weekday: number, from_minute: number, until_minute: number,
 *   slot_minutes: number, capacity: number, every_n_weeks: number, anchor_date: string, valid_from: string,
 *   valid_until: string | null, point: number | null, buffer_minutes: number, notice_minutes: number, days_ahead: number,
 *   opens_before: number}} Schedule
 * @typedef {{provider: number | null, date: string, kind: "closed" | "extra", from_minute: number, until_minute: number,
 *   reason: string, services: number[], slot_minutes: number, capacity: number, point: number | null,
 *   buffer_minutes: number}} Exception
 * @typedef {{name: string, names: Record<string, string>, state: PointState, queues: string[], provider: string | null,
 *   unmet_needs: Need[], gone: Gone | null}} RoomPoint
 * @typedef {RoomPatient & {state: "called" | "serving", since: number, calls: number, stands_until: number | null,
 *   doubt: Outage | null, undo: string | null, undo_until: number | null}} RoomGuest
 * @typedef {RoomPatient & {joined: number}} NextPatient
 * @typedef {{waiting: number, first: NextPatient[]}} RoomNext
 * @typedef {{served: number, no_shows: number}} RoomDay
 * @typedef {Site & {joining: boolean}} JoinableSite
 * @typedef {{waiting: number, expect_from: number | null, expect_until: number | null, estimating: boolean, name: string,
 *   names: Record<string, string>, prefix: string, position: number, next: string[], late: number}} DisplayQueue
 * @typedef {{name: string, names: Record<string, string>}} DisplayPoint
 * @typedef {{label: string, point: number, at: number, calls: number, name: string | null, language: string,
 *   stands_until: number | null, in_doubt: boolean, trial: boolean}} OpenCall
 * @typedef {{entry: number, label: string, point: number, kind: "call" | "recall" | "withdrawn", at: number}} Announcement
 * @typedef {{day: number, begin: number, until: number}} OpeningHours
 * @typedef {Site & {joining: boolean, languages: string[], hours: OpeningHours[], closed_on: string[]}} KioskSite
 * @typedef {{waiting: number, expect_from: number | null, expect_until: number | null, estimating: boolean, name: string,
 *   names: Record<string, string>, prefix: string, position: number, paused: boolean, full: boolean}} KioskQueue
 * @typedef {{name: string, place: string, printing: "none" | "browser" | "escpos", low: boolean, check_in: "off" | "code"
 *   | "birth", help_asked: number | null, help_by: string | null}} Kiosk
 * @typedef {{cause: "late_start" | "emergency" | "priority" | "booked" | "break" | "fewer_points" | "slower" |
 *   "more_points" | "left" | "quicker" | "later" | "earlier", point: string | null, point_names: Record<string, string>,
 *   doctor: boolean, going_on: boolean, minutes: number}} Moved
 * @typedef {{entry?: number, label?: string, state: EntryState, queue?: string, queue_names?: Record<string, string>,
 *   service?: string | null, service_names?: Record<string, string>, provider?: string | null, point?: string | null,
 *   point_names?: Record<string, string>, since?: number, calls?: number, doubt?: Outage | null,
 *   absent_until?: number | null, party?: number, language?: string, site?: string, time_zone?: string,
 *   offsets?: OffsetSince[], clock?: "12" | "24", site_language?: string, expect_from?: number | null,
 *   expect_until?: number | null, estimating?: boolean, moved?: Moved | null, leave_until?: number | null,
 *   leave_said?: number | null, counts_from?: number | null, served?: boolean}} TicketCell
 * @typedef {{count: number}} Ahead
 * @typedef {{local_start: string, offset_minutes: number, starts: number, until: number}} Offer
 * @typedef {{appointment: number, state: "held" | "booked" | "checked_in" | "fulfilled" | "cancelled" | "no_show" |
 *   "expired", version: number, local_start: string, fold: number, offset_minutes: number, starts: number, ends: number,
 *   minutes: number, check_in_from: number, check_in_until: number, cancel_until: number, wants_earlier: boolean,
 *   offer: Offer | null, ended_by: "patient" | "staff" | "clock" | null, late: boolean, service: string,
 *   service_names: Record<string, string>, provider: string, language: string, site: string, time_zone: string,
 *   offsets: OffsetSince[], clock: "12" | "24", site_language: string}} PatientAppointment
 * @typedef {{entry: number, label: string, state: EntryState, queue: string, queue_names: Record<string, string>,
 *   service: string | null, service_names: Record<string, string>, provider: string | null, point: string | null,
 *   point_names: Record<string, string>, since: number, calls: number, doubt: Outage | null, absent_until: number | null,
 *   party: number, language: string, site: string, time_zone: string, offsets: OffsetSince[], clock: "12" | "24",
 *   site_language: string, expect_from: number | null, expect_until: number | null, estimating: boolean,
 *   moved: Moved | null, leave_until: number | null, leave_said: number | null, counts_from: number | null,
 *   served: boolean}} CurrentTicket
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

/**
 * Return the worst trouble of a display: `dark` (not connected), `behind` or `muted`; or null.
 *
 * @param {{paired: boolean, connected: boolean, lag: number | null, muted: boolean}} display
 * @returns {"dark" | "behind" | "muted" | null}
 */
export function displayTrouble({ paired, connected, lag, muted }) {
  if (!paired) return null;
  if (!connected) return "dark";
  if (lag !== null && lag > 0) return "behind";
  return muted ? "muted" : null;
}

/**
 * Return the worst trouble of a kiosk: `dark` (silent), the state of its printer, or `behind`; or null.
 *
 * @param {DeskKiosk} kiosk
 * @returns {"dark" | "no_paper" | "missing" | "fault" | "behind" | null}
 */
export function kioskTrouble({ paired, connected, lag, printing, printer }) {
  if (!paired) return null;
  if (!connected) return "dark";
  if (printing === "escpos" && printer !== null && printer !== "ready") return printer;
  return lag !== null && lag > 0 ? "behind" : null;
}
