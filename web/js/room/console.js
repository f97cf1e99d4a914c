import { patientMarks, stageText } from "../desk/entry-texts.js";
import { minutesBetween } from "../desk/minutes.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { t } from "../shared/i18n.js";

/**
 * @typedef {import("../live/cells.js").Cells} Cells
 * @typedef {import("../live/cells.js").RoomPoint} RoomPoint
 * @typedef {import("../live/cells.js").RoomGuest} RoomGuest
 * @typedef {import("../live/cells.js").RoomPatient} RoomPatient
 * @typedef {import("../live/cells.js").RoomNext} RoomNext
 * @typedef {import("../live/cells.js").RoomDay} RoomDay
 * @typedef {import("../desk/orders.js").Step} Step
 *
 * @typedef {object} Room
 * @property {RoomPoint | null} point
 * @property {RoomGuest | null} guest
 * @property {RoomNext} next
 * @property {RoomDay} day
 * @property {string | undefined} language  the site's own
 */

/**
 * @param {Cells} cells
 * @returns {Room}
 */
export function roomOf(cells) {
  return {
    point: cells.get("point") ?? null,
    guest: cells.get("guest") ?? null,
    next: cells.get("next") ?? { waiting: 0, first: [] },
    day: cells.get("day") ?? { served: 0, no_shows: 0 },
    language: cells.get("site")?.language,
  };
}

/**
 * Return the one action that is the right next step, or null when there is none.
 *
 * @param {Room} room
 * @returns {"open-point" | "call-next" | "start" | "complete" | null}
 */
export function primaryOf({ point, guest, next }) {
  if (point === null) return null;
  if (guest?.state === "called") return "start";
  if (guest?.state === "serving") return "complete";
  if (point.state !== "open") return "open-point";
  return next.waiting > 0 ? "call-next" : null;
}

/**
 * Return the other steps that the state allows.
 *
 * @param {Room} room
 * @returns {string[]}
 */
export function othersOf({ point, guest }) {
  if (guest?.state === "called") return ["recall", "no-show", "transfer"];
  if (guest?.state === "serving") return ["transfer"];
  return point?.state === "open" ? ["break-point"] : [];
}

/**
 * Show who is in, what to do, and who is next.
 *
 * @param {HTMLElement} main
 * @param {Room} room
 * @param {{undo: Step | null, now: number}} look
 */
export function showRoom(main, room, { undo, now }) {
  const { point, guest, next } = room;
  const box = find(".room-guest", main);
  box.dataset.state = guest?.state ?? "free";
  setText(find(".room-ticket", box), guest?.label ?? "–");
  setText(find(".room-name", box), guest?.name ?? "");
  setText(find(".room-state", box), guest !== null ? stageText(guest, now) : point === null || point.state === "open" ? t("room.free") : t(`point.${point.state}`));
  showMarks(find(".room-marks", box), guest, room.language);
  setText(find(".room-queue", box), guest?.queue ?? "");

  const focused = document.activeElement;
  const primary = primaryOf(room);
  const others = othersOf(room);
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (main.querySelectorAll("[data-action]"))) {
    const action = button.dataset.action ?? "";
    if (button.classList.contains("room-primary")) {
      // There is always one of them, so that nothing jumps: with nothing to do it is the next call, and cannot be pressed.
      button.hidden = action !== (primary ?? "call-next");
      button.disabled = action !== primary;
    } else if (action === "undo") button.disabled = undo === null;
    else button.disabled = !others.includes(action);
  }
  find('[data-action="break-point"]').hidden = !others.includes("break-point");
  const first = next.first[0];
  setText(find("[data-call-text]", main), guest === null && first !== undefined ? t("room.call-next", { label: first.label }) : t("action.call-next"));
  showRoomUndoSeconds(main, undo, now);
  if (focused instanceof HTMLButtonElement && (focused.disabled || focused.hidden) && main.contains(focused)) {
    /** @type {HTMLElement | null} */ (main.querySelector(".room-primary:not([hidden], :disabled)"))?.focus();
  }

  setText(find(".room-waiting", main), next.waiting === 0 ? t("room.nobody") : t("room.waiting", { n: next.waiting }));
  updateList(find(".room-list", main), next.first, ({ entry }) => entry, makeNext, (row, patient) => {
    setText(find(".room-next-ticket", row), patient.label);
    setText(find(".room-next-name", row), patient.name ?? "");
    setText(find(".room-next-waited", row), t("room.waited", { n: minutesBetween(patient.joined, now) }));
    showMarks(find(".notes", row), patient, room.language);
  });
}

/**
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
 * @param {string | undefined} language
 */
function showMarks(notes, patient, language) {
  updateList(
    notes,
    patient === null ? [] : patientMarks(patient, language),
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
