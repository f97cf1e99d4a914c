/**
 * Receipt printers over WebUSB and WebSerial. The browser asks a member of staff once for the device, and remembers it.
 * Browsers allow both over HTTPS and on localhost only.
 *
 * @typedef {"ready" | "no_paper" | "missing" | "fault"} PrinterState
 *
 * @typedef {object} Transport
 * @property {(bytes: Uint8Array) => Promise<void>} write
 * @property {() => Promise<PrinterState>} state
 */

import { ASK_PAPER, saysPaperOut } from "./escpos.js";

const PRINTER_CLASS = 7;
const GET_PORT_STATUS = 1; // of the USB printer class: bit 5 paper empty, bit 3 no fault
const PAPER_EMPTY = 0x20;
const NO_FAULT = 0x08;
const ANSWER_MS = 600;

/** The browser's own objects, which TypeScript's library lacks. @type {any} */
const browser = globalThis.navigator;

export const hasUsb = () => browser.usb !== undefined;
export const hasSerial = () => browser.serial !== undefined;

/** Let a member of staff choose a USB printer. @returns {Promise<Transport>} */
export async function chooseUsb() {
  return usbTransport(await browser.usb.requestDevice({ filters: [{ classCode: PRINTER_CLASS }] }));
}

/** Return the USB printer that was chosen before, or null. @returns {Promise<Transport | null>} */
export async function knownUsb() {
  const device = hasUsb() ? (await browser.usb.getDevices()).find(printerInterface) : undefined;
  return device === undefined ? null : usbTransport(device);
}

/** @param {any} device */
function printerInterface(device) {
  return device.configurations
    .flatMap((/** @type {any} */ { interfaces }) => interfaces)
    .find((/** @type {any} */ each) => each.alternates.some((/** @type {any} */ { interfaceClass }) => interfaceClass === PRINTER_CLASS));
}

/**
 * @param {any} device
 * @returns {Promise<Transport>}
 */
async function usbTransport(device) {
  if (!device.opened) await device.open();
  if (device.configuration === null) await device.selectConfiguration(1);
  const { interfaceNumber, alternates } = printerInterface(device);
  await device.claimInterface(interfaceNumber);
  const out = alternates[0].endpoints.find((/** @type {any} */ { direction, type }) => direction === "out" && type === "bulk");
  return {
    async write(bytes) {
      const { status } = await device.transferOut(out.endpointNumber, bytes);
      if (status !== "ok") throw new Error(`the printer answered ${status}`);
    },
    async state() {
      const setup = { requestType: "class", recipient: "interface", request: GET_PORT_STATUS, value: 0, index: interfaceNumber };
      const { data } = await device.controlTransferIn(setup, 1);
      const status = data?.getUint8(0) ?? NO_FAULT;
      if (status & PAPER_EMPTY) return "no_paper";
      return status & NO_FAULT ? "ready" : "fault";
    },
  };
}

/** Let a member of staff choose a serial port. @param {number} baudRate @returns {Promise<Transport>} */
export async function chooseSerial(baudRate) {
  return serialTransport(await browser.serial.requestPort(), baudRate);
}

/** Return the serial port that was chosen before, or null. @param {number} baudRate @returns {Promise<Transport | null>} */
export async function knownSerial(baudRate) {
  const port = hasSerial() ? (await browser.serial.getPorts())[0] : undefined;
  return port === undefined ? null : serialTransport(port, baudRate);
}

/**
 * @param {any} port
 * @param {number} baudRate
 * @returns {Promise<Transport>}
 */
async function serialTransport(port, baudRate) {
  if (port.writable === null) await port.open({ baudRate });
  const write = async (/** @type {Uint8Array} */ bytes) => {
    const writer = port.writable.getWriter();
    try {
      await writer.write(bytes);
    } finally {
      writer.releaseLock();
    }
  };
  return {
    write,
    async state() {
      const reader = port.readable.getReader();
      const limit = setTimeout(() => reader.releaseLock(), ANSWER_MS); // ends the reading with a refusal
      try {
        await write(ASK_PAPER);
        const { value } = await reader.read();
        return saysPaperOut(value?.[0] ?? 0) ? "no_paper" : "ready";
      } catch {
        return port.writable === null ? "missing" : "ready"; // many printers do not answer the question
      } finally {
        clearTimeout(limit);
        reader.releaseLock();
      }
    },
  };
}

/** Call a function when a device comes or goes. @param {() => void} changed */
export function followDevices(changed) {
  for (const bus of [browser.usb, browser.serial]) {
    for (const type of ["connect", "disconnect"]) bus?.addEventListener(type, changed);
  }
}
