/**
 * Commands for receipt printers (ESC/POS): a picture of one bit a dot, in bands. Every text is a part of the picture, so every
 * script prints alike. Pure functions.
 *
 * @typedef {{width: number, height: number, rows: Uint8Array}} Raster  rows of whole bytes; a set bit is black, the leftmost
 *   dot is the highest bit
 */

const ESC = 0x1b;
const GS = 0x1d;
const BAND = 256; // rows: cheap printers have little memory
const BLACK_BELOW = 128;
const WEIGHTS = [0.299, 0.587, 0.114];
const FEED = [ESC, 0x64, 4]; // four lines, to the knife
const CUT = [GS, 0x56, 66, 0];

/**
 * Return the black and white dots of a picture.
 *
 * @param {{width: number, height: number, data: Uint8ClampedArray | Uint8Array}} picture  as `ImageData`
 * @returns {Raster}
 */
export function rasterOf({ width, height, data }) {
  const line = Math.ceil(width / 8);
  const rows = new Uint8Array(line * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if (isBlack(data, 4 * (y * width + x))) {
        const at = y * line + (x >> 3);
        rows[at] = (rows[at] ?? 0) | (0x80 >> (x & 7));
      }
    }
  }
  return { width: 8 * line, height, rows };
}

/**
 * @param {Uint8ClampedArray | Uint8Array} data
 * @param {number} at
 */
function isBlack(data, at) {
  const opacity = (data[at + 3] ?? 0) / 255;
  const light = WEIGHTS.reduce((sum, weight, channel) => sum + weight * (data[at + channel] ?? 0), 0);
  return light * opacity + 255 * (1 - opacity) < BLACK_BELOW;
}

/**
 * Return the bytes that print a raster, feed the paper and cut it.
 *
 * @param {Raster} raster
 * @returns {Uint8Array}
 */
export function printBytes({ width, height, rows }) {
  const line = width / 8;
  /** @type {number[]} */
  const bytes = [ESC, 0x40];
  for (let top = 0; top < height; top += BAND) {
    const count = Math.min(BAND, height - top);
    bytes.push(GS, 0x76, 0x30, 0, line & 0xff, line >> 8, count & 0xff, count >> 8);
    for (const byte of rows.subarray(top * line, (top + count) * line)) bytes.push(byte);
  }
  return Uint8Array.from([...bytes, ...FEED, ...CUT]);
}

/** The question for the state of the paper (`DLE EOT 4`). */
export const ASK_PAPER = Uint8Array.from([0x10, 0x04, 4]);

/**
 * Return whether the answer to `ASK_PAPER` says that the paper has ended.
 *
 * @param {number} answer
 */
export const saysPaperOut = (answer) => (answer & 0x60) !== 0;
