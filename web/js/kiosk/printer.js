import { printSlip } from "../components/print-slip.js";
import { find } from "../shared/dom.js";
import { recall, remember } from "../shared/memory.js";
import { printBytes, rasterOf } from "./escpos.js";
import { drawSlip } from "./slip-canvas.js";
import { chooseSerial, chooseUsb, followDevices, knownSerial, knownUsb } from "./transports.js";

/**
 * @typedef {import("./transports.js").PrinterState} PrinterState
 * @typedef {import("./transports.js").Transport} Transport
 * @typedef {"none" | "browser" | "escpos"} Printing
 */

const BAUD = "kiosk-baud";
const USUAL_BAUD = 19_200;
const BUS = "kiosk-printer"; // "usb" or "serial": the one that staff chose last
const LOOK_MS = 15_000;

/**
 * The printer of a kiosk. Nothing waits for it: a ticket is on the screen before its slip. Event: `change` of `state`.
 */
export class Printer extends EventTarget {
  /** The state of a receipt printer; undefined without one. @type {PrinterState | undefined} */
  state;
  /** @type {Printing} */
  #printing = "none";
  /** @type {Transport | null} */
  #transport = null;
  /** One slip after the other. */
  #line = Promise.resolve();

  /** Follow the printer while the page is open. */
  start() {
    followDevices(() => void this.#connect());
    setInterval(() => void this.#look(), LOOK_MS);
  }

  /** The speed of a serial printer. */
  get baud() {
    return Number(recall(BAUD)) || USUAL_BAUD;
  }

  /** @param {number} baud */
  set baud(baud) {
    remember(BAUD, String(baud));
  }

  /** Whether a slip can be expected now. */
  get prints() {
    return this.#printing === "browser" || (this.#printing === "escpos" && this.state === "ready");
  }

  /** The way of printing, as the kiosk is set up. @param {Printing} printing */
  use(printing) {
    if (printing === this.#printing) return;
    this.#printing = printing;
    if (printing === "escpos") void this.#connect();
    else this.#set(undefined);
  }

  /**
   * Let a member of staff choose the printer. The browser shows its list.
   *
   * @param {"usb" | "serial"} bus
   */
  async choose(bus) {
    try {
      this.#transport = bus === "usb" ? await chooseUsb() : await chooseSerial(this.baud);
      remember(BUS, bus);
      await this.#look();
    } catch {
      await this.#connect(); // nobody chose, or the device refuses
    }
  }

  /**
   * Print a slip. Never throws: a fault becomes the state.
   *
   * @param {import("../shared/slip.js").Slip} slip
   * @param {number} now
   */
  print(slip, now) {
    this.#line = this.#line.then(() => this.#print(slip, now)).catch(() => this.#set("fault"));
    return this.#line;
  }

  /**
   * @param {import("../shared/slip.js").Slip} slip
   * @param {number} now
   */
  async #print(slip, now) {
    if (this.#printing === "browser") await printSlip(find(".slip"), slip, now);
    if (this.#printing !== "escpos") return;
    const canvas = await drawSlip(slip, now);
    const picture = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).getImageData(0, 0, canvas.width, canvas.height);
    if (this.#transport === null) await this.#connect();
    if (this.#transport === null) return;
    await this.#transport.write(printBytes(rasterOf(picture)));
    await this.#look();
  }

  async #connect() {
    if (this.#printing !== "escpos") return;
    const serial = recall(BUS) === "serial";
    this.#transport = await (serial ? knownSerial(this.baud) : knownUsb()).catch(() => null);
    await this.#look();
  }

  async #look() {
    if (this.#printing !== "escpos") return;
    /** @type {PrinterState} */
    const missing = "missing";
    this.#set(this.#transport === null ? missing : await this.#transport.state().catch(() => missing));
    if (this.state === "missing") this.#transport = null;
  }

  /** @param {PrinterState | undefined} state */
  #set(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}
