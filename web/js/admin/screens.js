/** The section of displays and kiosks: their pictures, their health, and the pairing. */

import { errorMessage } from "../desk/error-messages.js";
import { allOf, byPosition, displayTrouble, kioskTrouble } from "../live/cells.js";
import { enterPairingCode } from "../shared/commands.js";
import { element, setText } from "../shared/dom.js";
import { formatDay, formatTime, t } from "../shared/i18n.js";
import { checkField, checksField, choiceField, textField } from "./fields.js";
import { ofRecord } from "./names.js";
import { addForm, recordList, removeRecord } from "./records.js";
import { Thumbnail } from "./thumbnail.js";

/**
 * @typedef {import("../live/cells.js").DeskDisplay} Display
 * @typedef {import("../live/cells.js").DeskKiosk} Kiosk
 * @typedef {import("../live/view.js").Cells} Cells
 * @typedef {import("./context.js").Context} Context
 * @typedef {import("./records.js").Part} Part
 */

const CODE = /^[A-Z0-9]{6}$/;
const DAY_MS = 24 * 3600_000;

/**
 * @param {HTMLElement} root
 * @param {Context} context
 */
export function open(root, context) {
  root.append(displays(context), kiosks(context));
}

/** @param {Cells} cells @param {string} kind @returns {(readonly [number, string])[]} */
const choicesOf = (cells, kind) =>
  /** @type {{id: number, name: string, position: number}[]} */ (allOf(cells, kind)).sort(byPosition).map(({ id, name }) => [id, name]);

/** @param {Context} context */
function displays(context) {
  return recordList(context, {
    kind: "display",
    fixed: true,
    title: t("admin.displays.list"),
    lead: t("admin.displays.list.lead"),
    empty: t("admin.displays.empty"),
    summary: (/** @type {Display} */ display) => healthOf(context, display, displayTrouble(display)),
    above: (id) => pictureOf(context, id),
    parts: (id) => {
      const record = { key: `display:${id}`, command: "change-display", id: { display_id: id } };
      return [
        remedyOf(`display:${id}`, (display) => displayTrouble(display)),
        nameOf(context, `display:${id}`, id),
        pairField(context, `display:${id}`, id),
        checksField(context, {
          label: t("admin.display.queues"),
          hint: t("admin.display.queues.hint"),
          choices: (cells) => choicesOf(cells, "queue"),
          ...ofRecord(record, "queues", "queue_ids"),
        }),
        checksField(context, {
          label: t("admin.display.points"),
          choices: (cells) => choicesOf(cells, "point"),
          ...ofRecord(record, "points", "point_ids"),
        }),
      ];
    },
    actions: (id) => [signOut(context, `display:${id}`, id), { text: t("admin.remove"), run: (name) => removeRecord(context, id, name) }],
    form: addDevice(context, "display"),
  });
}

/** @param {Context} context */
function kiosks(context) {
  return recordList(context, {
    kind: "kiosk",
    fixed: true,
    title: t("admin.kiosks.list"),
    lead: t("admin.kiosks.list.lead"),
    empty: t("admin.kiosks.empty"),
    summary: (/** @type {Kiosk} */ kiosk) => healthOf(context, kiosk, troubleOf(kiosk)),
    parts: (id) => {
      const record = { key: `kiosk:${id}`, command: "change-kiosk", id: { kiosk_id: id } };
      const choices = (/** @type {string} */ field, /** @type {string[]} */ values) =>
        values.map((value) => /** @type {const} */ ([value, t(`admin.kiosk.${field}.${value}`)]));
      return [
        remedyOf(`kiosk:${id}`, troubleOf),
        nameOf(context, `kiosk:${id}`, id),
        textField(context, {
          label: t("admin.kiosk.place"),
          hint: t("admin.kiosk.place.hint"),
          required: false,
          ...ofRecord(record, "place"),
        }),
        pairField(context, `kiosk:${id}`, id),
        checksField(context, {
          label: t("admin.kiosk.queues"),
          hint: t("admin.kiosk.queues.hint"),
          choices: (cells) => choicesOf(cells, "queue"),
          ...ofRecord(record, "queues", "queue_ids"),
        }),
        choiceField(context, {
          label: t("admin.kiosk.printing"),
          hint: t("admin.kiosk.printing.hint"),
          choices: choices("printing", ["none", "browser", "escpos"]),
          ...ofRecord(record, "printing"),
        }),
        choiceField(context, {
          label: t("admin.kiosk.check_in"),
          hint: t("admin.kiosk.check_in.hint"),
          choices: choices("check_in", ["off", "code", "birth"]),
          ...ofRecord(record, "check_in"),
        }),
        checkField(context, { label: t("admin.kiosk.low"), ...ofRecord(record, "low") }),
      ];
    },
    actions: (id) => [signOut(context, `kiosk:${id}`, id), { text: t("admin.remove"), run: (name) => removeRecord(context, id, name) }],
    form: addDevice(context, "kiosk"),
  });
}

/**
 * Return the worst trouble of a kiosk: `dark`, `behind` or `printer`; or null.
 *
 * @param {Kiosk} kiosk
 */
function troubleOf(kiosk) {
  const trouble = kioskTrouble(kiosk);
  return trouble === null || trouble === "dark" || trouble === "behind" ? trouble : "printer";
}

/**
 * Say how a device is, and since when.
 *
 * @param {Context} context
 * @param {Display | Kiosk} device
 * @param {string | null} trouble
 */
function healthOf(context, device, trouble) {
  if (!device.paired) return { notes: [t("desk.display.unpaired")] };
  if (trouble === "dark") {
    return { notes: [], warning: device.since === null ? t("desk.display.never") : t("desk.display.dark", { time: momentOf(context, device.since) }) };
  }
  const notes = [device.since === null ? t("desk.display.live") : t("admin.display.live", { time: momentOf(context, device.since) })];
  return { notes, warning: trouble === null ? "" : t(`admin.trouble.${trouble}`, { n: device.lag ?? 0 }) };
}

/** Return a time, with its day if it is not recent. @param {Context} context @param {number} at */
function momentOf(context, at) {
  const time = formatTime(at, context.zone);
  return context.connection.now() - at < DAY_MS ? time : `${formatDay(at, context.zone)}, ${time}`;
}

/**
 * Return the line that says what to do about a device's trouble.
 *
 * @param {string} key
 * @param {(device: any) => string | null} troubleOf
 * @returns {Part}
 */
function remedyOf(key, troubleOf) {
  const line = element("p", { className: "record-remedy", role: "status" });
  return {
    element: line,
    update: (cells) => {
      const device = cells.get(key);
      const trouble = device === undefined || !device.paired ? null : troubleOf(device);
      setText(line, trouble === null ? "" : t(`admin.remedy.${trouble}`));
    },
  };
}

/** @param {Context} context @param {string} key @param {number} id */
const nameOf = (context, key, id) =>
  textField(context, { label: t("admin.device.name"), ...ofRecord({ key, command: "rename-device", id: { device_id: id } }, "name") });

/**
 * Return the field for the code that a screen shows.
 *
 * @param {Context} context
 * @param {string} key
 * @param {number} id
 * @returns {Part}
 */
function pairField(context, key, id) {
  const input = element("input", { className: "pair-code", id: `pair-${id}`, maxLength: 12, dir: "ltr", autocomplete: "off", spellcheck: false, "aria-describedby": `pair-${id}-error` });
  input.autocapitalize = "characters";
  const error = element("p", { className: "field-error", id: `pair-${id}-error`, role: "alert" });
  const button = element("button", { className: "button", type: "submit" }, t("pair.submit"));
  const label = element("label", { htmlFor: input.id });
  const form = element(
    "form",
    { className: "field", noValidate: true },
    label,
    element("div", { className: "field-row" }, input, button),
    element("p", { className: "field-hint" }, t(key.startsWith("kiosk") ? "admin.pair.kiosk" : "pair.lead")),
    error,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    setText(error, "");
    try {
      await pair(context, id, input.value);
      input.value = "";
      context.say(t("admin.paired", { name: context.cells.get(key)?.name ?? "" }));
    } catch (refusal) {
      setText(error, errorMessage(refusal));
      input.focus();
    }
  });
  return {
    element: form,
    update: (cells) => setText(label, t(cells.get(key)?.paired ? "admin.pair.again" : "pair.code")),
  };
}

/**
 * Pair a device with the screen that shows a code. Throws for a code of another form, and as the server refuses.
 *
 * @param {Context} context
 * @param {number} id
 * @param {string} text
 */
async function pair(context, id, text) {
  const code = text.replace(/[\s-]/g, "").toUpperCase();
  if (!CODE.test(code)) throw Object.assign(new Error(), { code: "pairing_not_found" });
  await context.watched(enterPairingCode(code, id));
}

/** @param {Context} context @param {string} key @param {number} id */
const signOut = (context, key, id) => ({
  text: t("pair.sign_out"),
  when: (/** @type {Cells} */ cells) => cells.get(key)?.paired === true,
  run: async (/** @type {string} */ name) => {
    try {
      await context.change({
        command: "revoke-token",
        body: { device_id: id },
        said: t("admin.signed_out", { name }),
        question: { title: t("admin.sign_out.title", { name }), lead: t("admin.sign_out.lead"), yes: t("pair.sign_out") },
        always: true,
      });
    } catch (error) {
      context.complain(error);
    }
  },
});

/**
 * @param {Context} context
 * @param {"display" | "kiosk"} kind
 */
function addDevice(context, kind) {
  return addForm(context, {
    title: t(`admin.${kind}.add`),
    command: `add-${kind}`,
    fields: [
      { name: "name", label: t("admin.device.name"), error: t("pair.error.name") },
      { name: "code", label: t("admin.device.code"), hint: t(kind === "kiosk" ? "admin.pair.kiosk" : "pair.lead"), maxLength: 12, required: false },
    ],
    body: ({ name }) => ({ name }),
    // The device exists now: with a wrong code, its own field takes the next one.
    then: async ({ code = "" }, record) => {
      if (code !== "") await pair(context, record, code);
    },
  });
}

/**
 * The picture of a display.
 *
 * @param {Context} context
 * @param {number} id
 * @returns {Part}
 */
function pictureOf(context, id) {
  const picture = new Thumbnail(context, id);
  return {
    element: picture.element,
    update: (cells) => {
      const display = /** @type {Display | undefined} */ (cells.get(`display:${id}`));
      picture.setOff(display === undefined || (display.paired && display.connected) ? "" : t(display.paired ? "admin.display.off" : "desk.display.unpaired"));
    },
  };
}
