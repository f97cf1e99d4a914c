/**
 * The view of a screen: a flat map of cells, and the number of the last change in it. Pure functions: a view and a message
 * give the next view.
 *
 * @typedef {Record<string, unknown>} Cell
 * @typedef {ReadonlyMap<string, any>} Cells  described in `cells.js`; only the stream changes them
 *
 * @typedef {object} View
 * @property {Cells} cells
 * @property {number} seq         the number of the last change
 * @property {number} heartbeatMs how often the server sends a heartbeat
 *
 * @typedef {{seq: number, at?: number, heartbeat_ms: number, cells: Record<string, Cell>}} Snapshot
 * @typedef {{seq: number, set: Record<string, Cell>, del: string[]}} Change
 * @typedef {{seq: number, at: number, digest: number}} Heartbeat
 * @typedef {{retry_ms: number, reason: string}} Bye
 */

/** The view before the first snapshot. @type {View} */
export const EMPTY = Object.freeze({ cells: new Map(), seq: 0, heartbeatMs: 15_000 });

/**
 * Return the view after a message. A message of another type changes nothing.
 *
 * @param {View} view
 * @param {string} type
 * @param {any} message
 * @returns {View}
 */
export function apply(view, type, message) {
  switch (type) {
    case "snapshot":
      return { cells: new Map(Object.entries(message.cells)), seq: message.seq, heartbeatMs: message.heartbeat_ms };
    case "change": {
      const cells = new Map(view.cells);
      for (const [key, cell] of Object.entries(message.set)) cells.set(key, cell);
      for (const key of message.del) cells.delete(key);
      return { ...view, cells, seq: message.seq };
    }
    case "heartbeat":
      return { ...view, seq: message.seq };
    default:
      return view;
  }
}

const POLYNOMIAL = 0xedb88320;
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  return value;
});
const utf8 = new TextEncoder();

/**
 * Return the CRC-32 of a text's UTF-8, as zlib computes it.
 *
 * @param {string} text
 * @returns {number}
 */
export function crc32(text) {
  let crc = ~0;
  for (const byte of utf8.encode(text)) crc = (TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/**
 * Return the digest of cells, to compare with a heartbeat's: the XOR over all cells of the CRC-32 of the key followed by the
 * cell's compact JSON. `JSON.stringify` gives the same bytes as the server's encoder.
 *
 * @param {Iterable<readonly [string, unknown]>} cells
 * @returns {number}
 */
export function digest(cells) {
  let sum = 0;
  for (const [key, cell] of cells) sum ^= crc32(key + JSON.stringify(cell));
  return sum >>> 0;
}
