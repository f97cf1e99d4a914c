import assert from "node:assert/strict";
import { test } from "node:test";
import { printBytes, rasterOf, saysPaperOut } from "../../web/js/kiosk/escpos.js";

/** A picture of random dots; the last column and row are black. */
function picture(width, height) {
  const data = new Uint8ClampedArray(4 * width * height);
  for (let dot = 0; dot < width * height; dot += 1) {
    const black = dot % 7 === 0 || dot % width === width - 1 || dot >= width * (height - 1);
    data.set(black ? [0, 0, 0, 255] : [255, 255, 255, 255], 4 * dot);
  }
  return { width, height, data };
}

/** Read the bands of a print job as a printer does. Returns the rows of dots and the bytes that are no picture. */
export function decoded(bytes) {
  const rows = [];
  const rest = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] !== 0x1d || bytes[at + 1] !== 0x76) {
      rest.push(bytes[at]);
      at += 1;
      continue;
    }
    assert.deepEqual([...bytes.slice(at, at + 4)], [0x1d, 0x76, 0x30, 0]);
    const line = bytes[at + 4] + 256 * bytes[at + 5];
    const count = bytes[at + 6] + 256 * bytes[at + 7];
    at += 8;
    for (let row = 0; row < count; row += 1, at += line) rows.push(bytes.slice(at, at + line));
  }
  return { rows, rest };
}

for (const [width, height] of [[576, 1], [576, 256], [576, 700], [10, 3]]) {
  test(`the bytes of ${width} by ${height} dots give the same dots`, () => {
    const drawn = picture(width, height);
    const raster = rasterOf(drawn);
    const { rows, rest } = decoded(printBytes(raster));
    assert.equal(rows.length, height);
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        assert.equal((rows[y][x >> 3] >> (7 - (x & 7))) & 1, drawn.data[4 * (y * width + x)] === 0 ? 1 : 0, `${x}, ${y}`);
      }
    }
    assert.deepEqual(rest, [0x1b, 0x40, 0x1b, 0x64, 4, 0x1d, 0x56, 66, 0], "reset, feed, cut");
  });
}

test("grey and transparent dots are black or white", () => {
  const data = Uint8ClampedArray.from([100, 100, 100, 255, 150, 150, 150, 255, 0, 0, 0, 0, 0, 0, 255, 255]);
  assert.deepEqual([...rasterOf({ width: 4, height: 1, data }).rows], [0b10010000]);
});

test("the answer of the printer tells that the paper has ended", () => {
  assert.equal(saysPaperOut(0x12), false);
  assert.equal(saysPaperOut(0x72), true);
});
