import { displayTrouble, kioskTrouble } from "../live/cells.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { formatTime, t } from "../shared/i18n.js";

/**
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("./desk.js").Device} Device
 * @typedef {NonNullable<ReturnType<typeof displayTrouble> | ReturnType<typeof kioskTrouble>>} Trouble
 * @typedef {{kind: "display" | "kiosk", device: Device, trouble: Trouble | null}} Row
 */

/** @type {(Trouble | null)[]} */
const WORST_FIRST = ["dark", "no_paper", "missing", "fault", "behind", "muted", null];

/**
 * Show the state of the displays and the kiosks, those with trouble first, and an alarm in the page's head for dark ones.
 *
 * @param {HTMLElement} section  hidden without devices, unless the user may add one
 * @param {HTMLElement} alarm
 * @param {Desk} desk
 * @param {{zone: string | undefined, maySetUp: boolean}} look  `maySetUp`: a device's row is a button
 */
export function showDevices(section, alarm, { displays, kiosks }, { zone, maySetUp }) {
  /** @type {Row[]} */
  const rows = [
    ...displays.map((device) => ({ kind: /** @type {const} */ ("display"), device, trouble: displayTrouble(device) })),
    ...kiosks.map((device) => ({ kind: /** @type {const} */ ("kiosk"), device, trouble: kioskTrouble(device) })),
  ];
  rows.sort((one, other) => WORST_FIRST.indexOf(one.trouble) - WORST_FIRST.indexOf(other.trouble) || one.device.id - other.device.id);
  section.hidden = rows.length === 0 && !maySetUp;
  updateList(find("ol", section), rows, ({ device }) => device.id, (row) => makeRow(row, maySetUp), (shown, row) => {
    const { device } = row;
    shown.dataset.trouble = row.trouble ?? "none";
    setText(find(".display-name", shown), device.name);
    setText(find(".display-state", shown), wordsFor(row, zone));
    shown.title = device.version === null ? "" : t("desk.display.version", { version: device.version });
  });
  const dark = (/** @type {Row["kind"]} */ kind) => rows.filter((row) => row.kind === kind && row.trouble === "dark").map(({ device }) => device.name);
  const alarms = /** @type {const} */ (["display", "kiosk"]).filter((kind) => dark(kind).length > 0);
  alarm.hidden = alarms.length === 0;
  setText(alarm, alarms.map((kind) => t(`desk.${kind}.alarm`, { n: dark(kind).length, name: dark(kind)[0] ?? "" })).join(" · "));
}

/**
 * @param {Row} row
 * @param {string | undefined} zone
 */
function wordsFor({ kind, device, trouble }, zone) {
  if (!device.paired) return t("desk.display.unpaired");
  if (trouble === null) return t("desk.display.live");
  const since = device.since === null ? null : formatTime(device.since, zone);
  if (trouble === "dark") return since === null ? t("desk.display.never") : t(`desk.${kind}.dark`, { time: since });
  if (trouble === "behind" || trouble === "muted") return t(`desk.display.${trouble}`, { n: device.lag ?? 0 });
  return t(`desk.kiosk.${trouble}`);
}

/**
 * @param {Row} row
 * @param {boolean} maySetUp
 */
function makeRow({ kind, device }, maySetUp) {
  const words = [element("span", { className: "display-name" }), element("span", { className: "display-state" })];
  const row = maySetUp
    ? element("li", { className: "display-row" }, element("button", { type: "button", className: "row-button display-line display-button" }, ...words))
    : element("li", { className: "display-row display-line" }, ...words);
  row.dataset[kind] = row.dataset.device = String(device.id);
  return row;
}
