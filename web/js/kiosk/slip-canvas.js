/** The slip as a picture for a receipt printer, with the layout of the desk's slip (`web/css/slip.css`). */

import { codeAddress, slipTexts } from "../shared/slip.js";

const WIDTH = 576; // dots: 72 mm at 8 dots a millimetre
const DOTS_PER_MM = 8;
const POINT = (25.4 / 72) * DOTS_PER_MM; // dots in a typographic point
const MARGIN = 8;
const CODE = 36 * DOTS_PER_MM;
const FONT = 'Inter, "Noto Sans Arabic", system-ui, sans-serif';
const BOTTOM = 2 * DOTS_PER_MM;

/**
 * @typedef {{text: string, size: number, weight: number, height: number, above?: number}} Line  sizes in dots
 */

/**
 * Draw a slip, black on white.
 *
 * @param {import("../shared/slip.js").Slip} slip
 * @param {number} now
 * @returns {Promise<HTMLCanvasElement>}
 */
export async function drawSlip(slip, now) {
  const texts = await slipTexts(slip, now);
  const line = (/** @type {string} */ text, points = 11, weight = 400, /** @type {number} */ mm = 0) =>
    ({ text, size: Math.round(points * POINT), weight, height: Math.round(points * POINT * (points > 40 ? 1.15 : 1.35)), above: mm * DOTS_PER_MM });
  const before = [
    line(texts.site, 11, 700),
    line(texts.queue),
    line(texts.label, 52, 750),
    line(texts.range),
    line(texts.ahead),
    line(texts.back, 13, 700, 2),
  ];
  const after = [line(texts.follow, 8, 400, 1), line(texts.address, 8), line(texts.at, 8)];
  const code = await codeOf(slip.token);
  await loadFonts([...before, ...after]);
  const canvas = document.createElement("canvas");
  const measured = contextOf(canvas, texts.locale.direction);
  const lines = (/** @type {Line[]} */ some) => some.filter(({ text }) => text !== "").flatMap((each) => wrap(measured, each));
  const upper = lines(before);
  const lower = lines(after);
  const side = code === null ? 0 : CODE + 3 * DOTS_PER_MM;
  const heightOf = (/** @type {Line[]} */ some) => some.reduce((sum, { height, above = 0 }) => sum + height + above, 0);
  canvas.width = WIDTH;
  canvas.height = heightOf(upper) + side + heightOf(lower) + BOTTOM;
  const context = contextOf(canvas, texts.locale.direction);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = context.strokeStyle = "#000";
  let top = drawLines(context, upper, 0);
  if (code !== null) {
    drawCode(context, code, top + 3 * DOTS_PER_MM);
    top += side;
  }
  drawLines(context, lower, top);
  return canvas;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {string} direction
 */
function contextOf(canvas, direction) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  Object.assign(context, { direction, textAlign: "center", textBaseline: "alphabetic" });
  return context;
}

/** @param {Line} line */
const fontOf = ({ size, weight }) => `${weight} ${size}px ${FONT}`;

/** @param {Line[]} lines */
async function loadFonts(lines) {
  await Promise.all(lines.map((line) => document.fonts.load(fontOf(line), line.text).catch(() => []))); // else another font
}

/**
 * Break a line at its spaces. A word that is too long breaks inside, as an address does.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Line} line
 * @returns {Line[]}
 */
function wrap(context, line) {
  context.font = fontOf(line);
  const fits = (/** @type {string} */ text) => context.measureText(text).width <= WIDTH - 2 * MARGIN;
  /** @type {string[]} */
  const rows = [""];
  for (const word of line.text.split(" ")) {
    const joined = rows.at(-1) === "" ? word : `${rows.at(-1)} ${word}`;
    if (fits(joined)) {
      rows[rows.length - 1] = joined;
      continue;
    }
    if (rows.at(-1) !== "") rows.push("");
    for (const sign of word) {
      if (!fits(rows.at(-1) + sign)) rows.push("");
      rows[rows.length - 1] += sign;
    }
  }
  return rows.map((text, index) => ({ ...line, text, above: index === 0 ? (line.above ?? 0) : 0 }));
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Line[]} lines
 * @param {number} top
 * @returns {number} the bottom
 */
function drawLines(context, lines, top) {
  let y = top;
  for (const line of lines) {
    y += line.above ?? 0;
    context.font = fontOf(line);
    context.fillText(line.text, WIDTH / 2, y + Math.round((line.height + 0.7 * line.size) / 2));
    y += line.height;
  }
  return y;
}

/**
 * Return a ticket's code as the path of its modules, or null without an answer: the slip has the address as text, too.
 *
 * @param {string} token
 * @returns {Promise<{path: string, side: number} | null>}
 */
async function codeOf(token) {
  const answer = await fetch(codeAddress(token), { cache: "no-store" }).catch(() => null);
  if (answer === null || !answer.ok) return null;
  const drawn = new DOMParser().parseFromString(await answer.text(), "image/svg+xml");
  const side = Number(drawn.documentElement.getAttribute("viewBox")?.split(" ")[2]);
  const path = [...drawn.querySelectorAll("path")].find((each) => each.hasAttribute("stroke"))?.getAttribute("d");
  return path == null || !(side > 0) ? null : { path, side };
}

/**
 * Draw the code with modules of whole dots.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {{path: string, side: number}} code
 * @param {number} top
 */
function drawCode(context, { path, side }, top) {
  const scale = Math.max(1, Math.floor(CODE / side));
  context.save();
  context.translate(Math.round((WIDTH - side * scale) / 2), top + Math.round((CODE - side * scale) / 2));
  context.scale(scale, scale);
  context.lineWidth = 1;
  context.stroke(new Path2D(path));
  context.restore();
}
