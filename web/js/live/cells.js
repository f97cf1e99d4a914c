/**
 * The cells of each view as the server draws them (`server/domain/views.py`), and how to read them out of a map.
 * Instants are milliseconds since 1970.
 *
 * @typedef {import("./view.js").Cells} Cells
 * @typedef {"waiting" | "called" | "serving" | "held" | "no_show" | "completed" | "transferred" | "left" | "cancelled" | "expired"} EntryState
 * @typedef {"standard" | "assisted" | "urgent" | "emergency"} Priority
 *
 * @typedef {{name: string, time_zone: string, language: string, business_day: string, message: string | null}} Site
 *
 * @typedef {{name: string, prefix: string, position: number}} DeskQueue
 * @typedef {{name: string, queues: number[], position: number, entry: number | null}} DeskPoint
 * @typedef {{label: string, state: EntryState, queue: number, point: number | null, rank: number[], priority: Priority,
 *   joined: number, since: number, calls: number, name: string | null, party: number, language: string}} DeskEntry
 *
 * @typedef {{name: string, paired: boolean, connected: boolean, since: number | null, muted: boolean,
 *   version: string | null, lag: number | null}} DeskDisplay
 *
 * @typedef {{name: string, prefix: string, position: number, waiting: number, next: string[], expect_from: number | null,
 *   expect_until: number | null, estimating: boolean}} DisplayQueue
 * @typedef {{name: string}} DisplayPoint
 * @typedef {{label: string, point: number, at: number, calls: number, name: string | null, language: string}} OpenCall
 * @typedef {{entry: number, label: string, point: number, kind: "call" | "recall" | "withdrawn", at: number}} Announcement
 *
 * @typedef {{state: EntryState, entry?: number, label?: string, queue?: string, service?: string | null,
 *   provider?: string | null, ahead?: number | null, point?: string | null,
 *   since?: number, calls?: number, party?: number, language?: string, site?: string, time_zone?: string,
 *   expect_from?: number | null, expect_until?: number | null, estimating?: boolean, absent_until?: number | null}} Ticket
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
    if (key.startsWith(`${kind}:`)) found.push({ ...cell, id: Number(key.slice(kind.length + 1)) });
  }
  return found;
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
  for (const [index, element] of one.rank.entries()) {
    const difference = element - (other.rank[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
