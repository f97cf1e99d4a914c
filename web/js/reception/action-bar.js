import { goneText, isPastCall, nextReason, patientMarks, stageText, unreachedMarks } from "../desk/entry-texts.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { guestOf, possibleActions } from "./desk.js";

/**
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("./desk.js").Entry} Entry
 * @typedef {import("./desk.js").Point} Point
 * @typedef {import("../desk/orders.js").Step} Step
 */

/** The actions that can be the usual next step, which is highlighted. */
const USUAL = new Set(["call-next", "call", "start", "complete", "return"]);

/**
 * Show the patient that the actions are for, and enable the actions that the state allows. The patient is the selected
 * one, or else the guest of the user's point. The buttons keep their places.
 *
 * @param {HTMLElement} bar
 * @param {Desk} desk
 * @param {{mine: number | null, chosen: Entry | null, undo: Step | null, now: number}} look  `mine`: the id of the user's
 *   point; `now`: the server's time in milliseconds
 */
export function showActions(bar, desk, { mine, chosen, undo, now }) {
  const point = desk.points.find(({ id }) => id === mine) ?? null;
  const subject = chosen ?? guestOf(desk, point);
  const next = subject === null && point?.next ? (desk.entries.get(point.next.entry) ?? null) : null;
  const shown = subject ?? next;
  bar.dataset.state = subject?.state ?? "free";
  bar.classList.toggle("is-chosen", chosen !== null);
  setText(find(".guest-ticket", bar), shown?.label ?? "–");
  setText(find(".guest-name", bar), shown?.name ?? "");
  setText(find(".guest-state", bar), subject === null ? pointText(bar, point, next, desk.site?.time_zone) : subjectText(subject, desk, point, now));
  updateList(
    find(".guest-marks", bar),
    shown === null ? [] : [...unreachedMarks(shown, "detailOf"), ...patientMarks(shown, desk.site?.language)],
    ({ kind, text }) => `${kind} ${text}`,
    ({ kind, text }) => element("span", { className: `note is-${kind}` }, text),
    () => {},
  );
  enableButtons(bar, possibleActions(desk, point, chosen), undo);
  showUndoSeconds(bar, undo, now);
}

/**
 * Enable the possible actions. A disabled button that had the focus hands it to the usual next step.
 *
 * @param {HTMLElement} bar
 * @param {string[]} possible
 * @param {Step | null} undo
 */
function enableButtons(bar, possible, undo) {
  const focused = document.activeElement;
  const usual = possible.find((action) => USUAL.has(action));
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (bar.querySelectorAll("[data-action]"))) {
    const action = button.dataset.action ?? "";
    if (action === "more") continue;
    button.disabled = action === "undo" ? undo === null : !possible.includes(action);
    button.classList.toggle("is-primary", action === usual);
  }
  enableMore(bar);
  if (focused instanceof HTMLButtonElement && focused.disabled && bar.contains(focused)) {
    /** @type {HTMLElement | null} */ (bar.querySelector(".is-primary"))?.focus();
  }
}

/**
 * Return what is happening to the patient, and where, if that is not the user's point.
 *
 * @param {Entry} subject
 * @param {Desk} desk
 * @param {Point | null} point
 * @param {number} now
 */
function subjectText(subject, desk, point, now) {
  if (subject.state !== "called" && subject.state !== "serving") return t(`guest.${subject.state}`);
  const at = desk.points.find(({ id }) => id === subject.point);
  const happens = [stageText(subject, now), ...(isPastCall(subject, now) ? [t("guest.past_call")] : [])].join(" ");
  return at === undefined || at === point ? happens : t("guest.elsewhere", { point: at.name, happens });
}

/**
 * Return the state of the user's point while nobody is there: who has just gone, who is next and why, or why nobody is.
 *
 * @param {HTMLElement} bar
 * @param {Point | null} point
 * @param {Entry | null} next
 * @param {string | undefined} zone  the site's time zone
 */
function pointText(bar, point, next, zone) {
  if (point === null) return t(find(".my-point", bar).hidden ? "guest.watching" : "guest.no_point");
  if (point.state !== "open") return t(`guest.${point.state}`);
  const following = point.next && next !== null ? t("guest.next", { why: nextReason(point.next, next.priority) }) : t("guest.free");
  return [goneText(point, zone), following].filter(Boolean).join(" · ");
}

/**
 * Show the menu of the less frequent actions if this user has one of them, and enable it if one is possible now.
 *
 * @param {HTMLElement} bar
 */
export function enableMore(bar) {
  const more = /** @type {HTMLButtonElement} */ (find('[data-action="more"]', bar));
  const menu = find("[data-more]", bar);
  more.hidden = menu.querySelector("button:not([hidden])") === null;
  more.disabled = menu.querySelector("button:not(:disabled, [hidden])") === null;
}

/**
 * Show on the undo button how many seconds are left to press it. Screen readers do not read the seconds out.
 *
 * @param {HTMLElement} bar
 * @param {Step | null} undo
 * @param {number} now
 */
export function showUndoSeconds(bar, undo, now) {
  const seconds = undo === null ? "" : t("desk.seconds", { n: Math.max(0, Math.ceil((undo.until - now) / 1000)) });
  setText(find("[data-undo-seconds]", bar), seconds);
  const button = find('[data-action="undo"]', bar);
  const what = undo?.label ? "desk.undo.what" : "desk.undo.delay"; // a step of the site has no ticket
  button.title = undo === null ? "" : t(what, { label: undo.label });
}
