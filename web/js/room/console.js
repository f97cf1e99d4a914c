import {
  goneText,
  isPastCall,
  minutesBetween,
  namesakeMarks,
  patientMarks,
  sharedNames,
  stageText,
} from "../desk/entry-texts.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { nameIn, t } from "../shared/i18n.js";
import { othersOf, primaryOf } from "./room.js";

/**
 * @typedef {import("../live/cells.js").RoomPatient} RoomPatient
 * @typedef {import("../desk/orders.js").Step} Step
 * @typedef {import("./room.js").Room} Room
 */

/**
 * Show the guest, the actions, and the next patients.
 *
 * @param {HTMLElement} main
 * @param {Room} room
 * @param {{undo: Step | null, now: number}} look  `now`: the server's time in milliseconds
 */
export function showRoom(main, room, { undo, now }) {
  const shared = sharedNames([...(room.guest === null ? [] : [room.guest]), ...room.next.first]);
  showGuest(find(".room-guest", main), room, shared, now);
  showButtons(main, room, undo);
  showRoomUndoSeconds(main, undo, now);
  const { next } = room;
  setText(find(".room-waiting", main), next.waiting === 0 ? t("room.nobody") : t("room.waiting", { n: next.waiting }));
  updateList(find(".room-list", main), next.first, ({ entry }) => entry, makeNext, (row, patient) => {
    setText(find(".room-next-ticket", row), patient.label);
    setText(find(".room-next-name", row), patient.name ?? "");
    setText(find(".room-next-waited", row), t("room.waited", { n: minutesBetween(patient.joined, now) }));
    showMarks(find(".notes", row), patient, shared, room.language);
  });
}

/**
 * @param {HTMLElement} box
 * @param {Room} room
 * @param {Set<string>} shared  the names that several patients have
 * @param {number} now
 */
function showGuest(box, { point, guest, language, zone }, shared, now) {
  const empty = (point !== null && goneText(point, zone)) || t("room.free");
  const free = point === null || point.state === "open" ? empty : t(`point.${point.state}`);
  box.dataset.state = guest?.state ?? "free";
  setText(find(".room-ticket", box), guest?.label ?? "–");
  setText(find(".room-name", box), guest?.name ?? "");
  setText(find(".room-state", box), guest === null ? free : stageText(guest, now));
  find("[data-past-call]").hidden = guest === null || !isPastCall(guest, now);
  showMarks(find(".room-marks", box), guest, shared, language);
  setText(find(".room-queue", box), guest === null ? "" : nameIn(guest.queue, guest.queue_names));
}

/**
 * Enable the actions that the state allows. A disabled button that had the focus hands it to the usual next step.
 *
 * @param {HTMLElement} main
 * @param {Room} room
 * @param {Step | null} undo
 */
function showButtons(main, room, undo) {
  const { guest, next } = room;
  const focused = document.activeElement;
  const primary = primaryOf(room);
  const others = othersOf(room);
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (main.querySelectorAll("[data-action]"))) {
    const action = button.dataset.action ?? "";
    if (button.classList.contains("room-primary")) {
      // One of them is always shown, so that nothing jumps: without a next step it is the disabled "call next".
      button.hidden = action !== (primary ?? "call-next");
      button.disabled = action !== primary;
    } else if (action === "undo") button.disabled = undo === null;
    else button.disabled = !others.includes(action);
  }
  find('[data-action="break-point"]').hidden = !others.includes("break-point");
  const first = next.first[0];
  const callText = guest === null && first !== undefined ? t("room.call-next", { label: first.label }) : t("action.call-next");
  setText(find("[data-call-text]", main), callText);
  if (focused instanceof HTMLButtonElement && (focused.disabled || focused.hidden) && main.contains(focused)) {
    /** @type {HTMLElement | null} */ (main.querySelector(".room-primary:not([hidden], :disabled)"))?.focus();
  }
}

/**
 * Show how many seconds are left to undo.
 *
 * @param {HTMLElement} main
 * @param {Step | null} undo
 * @param {number} now
 */
export function showRoomUndoSeconds(main, undo, now) {
  setText(find("[data-undo-seconds]", main), undo === null ? "" : t("desk.seconds", { n: Math.max(0, Math.ceil((undo.until - now) / 1000)) }));
}

/**
 * @param {HTMLElement} notes
 * @param {RoomPatient | null} patient
 * @param {Set<string>} shared
 * @param {string | undefined} language
 */
function showMarks(notes, patient, shared, language) {
  updateList(
    notes,
    patient === null ? [] : [...namesakeMarks(patient, shared, { always: true }), ...patientMarks(patient, language)],
    ({ kind, text }) => `${kind} ${text}`,
    ({ kind, text }) => element("span", { className: `note is-${kind}` }, text),
    () => {},
  );
}

/** @param {RoomPatient} patient */
function makeNext({ label }) {
  const row = element(
    "li",
    { className: "room-next-row" },
    element("span", { className: "room-next-ticket" }),
    element("span", { className: "room-next-name" }),
    element("span", { className: "room-next-waited" }),
    element("span", { className: "notes" }),
  );
  row.dataset.next = label;
  return row;
}
