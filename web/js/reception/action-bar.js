import { nextReason, patientMarks, stageText } from "../desk/entry-texts.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { guestOf, possibleActions } from "./desk.js";

/**
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("./desk.js").Entry} Entry
 * @typedef {import("../desk/orders.js").Step} Step
 */

// What may stand out as the usual next step.
const USUAL = new Set(["call-next", "call", "start", "complete", "return"]);

/**
 * Show whom the actions are for, the chosen one or the guest of my point, and what can be done: only the steps that the state
 * allows can be pressed, and the usual next one stands out. The buttons keep their places.
 *
 * @param {HTMLElement} bar
 * @param {Desk} desk
 * @param {{mine: number | null, chosen: Entry | null, undo: Step | null, now: number}} look
 */
export function showActions(bar, desk, { mine, chosen, undo, now }) {
  const point = desk.points.find(({ id }) => id === mine) ?? null;
  const guest = guestOf(desk, point);
  const subject = chosen ?? guest;
  const possible = possibleActions(desk, point, chosen);
  const next = subject === null && point?.next ? (desk.entries.get(point.next.entry) ?? null) : null;
  const shown = subject ?? next;
  bar.dataset.state = subject?.state ?? "free";
  bar.classList.toggle("is-chosen", chosen !== null);
  setText(find(".guest-ticket", bar), shown?.label ?? "–");
  setText(find(".guest-name", bar), shown?.name ?? "");
  setText(find(".guest-state", bar), stateOf());
  updateList(
    find(".guest-marks", bar),
    shown === null ? [] : patientMarks(shown, desk.site?.language),
    ({ kind, text }) => `${kind} ${text}`,
    ({ kind, text }) => element("span", { className: `note is-${kind}` }, text),
    () => {},
  );
  const focused = document.activeElement;
  const usual = possible.find((action) => USUAL.has(action));
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (bar.querySelectorAll("[data-action]"))) {
    const action = button.dataset.action ?? "";
    if (action === "more") continue;
    button.disabled = action === "undo" ? undo === null : !possible.includes(action);
    button.classList.toggle("is-primary", action === usual);
  }
  const more = /** @type {HTMLButtonElement} */ (find('[data-action="more"]', bar));
  more.disabled = find("[data-more]", bar).querySelector("button:not(:disabled)") === null;
  showUndoSeconds(bar, undo, now);
  // A button that can no longer be pressed drops the keyboard's focus: hand it on to the next step.
  if (focused instanceof HTMLButtonElement && focused.disabled && bar.contains(focused)) {
    /** @type {HTMLElement | null} */ (bar.querySelector(".is-primary"))?.focus();
  }

  function stateOf() {
    if (subject !== null) {
      const at = desk.points.find(({ id }) => id === subject.point);
      if (subject.state === "called" || subject.state === "serving") {
        const happens = stageText(subject, now);
        return at === undefined || at === point ? happens : t("guest.elsewhere", { point: at.name, happens });
      }
      return t(`guest.${subject.state}`);
    }
    if (point === null) return t(find(".my-point", bar).hidden ? "guest.watching" : "guest.no_point");
    if (point.state !== "open") return t(`guest.${point.state}`);
    if (point.next && next !== null) return t("guest.next", { why: nextReason(point.next, next.priority) });
    return t("guest.free");
  }
}

/**
 * Say on the undo button for how many seconds it can still be pressed. This is shown alone, and never spoken.
 *
 * @param {HTMLElement} bar
 * @param {Step | null} undo
 * @param {number} now
 */
export function showUndoSeconds(bar, undo, now) {
  setText(find("[data-undo-seconds]", bar), undo === null ? "" : t("desk.seconds", { n: Math.max(0, Math.ceil((undo.until - now) / 1000)) }));
  const button = find('[data-action="undo"]', bar);
  button.title = undo === null ? "" : t("desk.undo.what", { label: undo.label });
}
