/**
 * The buttons of the reception page. A forbidden action is not offered; the server checks every command in any case.
 */

import { find } from "../shared/dom.js";
import { DELAY_ANNOUNCED } from "./state.js";

/**
 * @typedef {import("./state.js").DeskState} DeskState
 * @typedef {import("./actions.js").DeskActions} DeskActions
 * @typedef {import("./dialogs.js").Dialogs} Dialogs
 * @typedef {ReturnType<typeof import("./lazy-day.js").lazyDay>} LazyDay
 * @typedef {{state: DeskState, actions: DeskActions, dialogs: Dialogs, search: {focus: () => void}, day: LazyDay}} Parts
 */

/**
 * Let every button with a `data-action` do its action, and the select of points choose the user's own.
 *
 * @param {Parts} parts
 */
export function connectButtons(parts) {
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-action]"))) {
    button.addEventListener("click", () => press(button.dataset.action ?? "", parts));
  }
  const points = /** @type {HTMLSelectElement} */ (find("[data-point-select]"));
  points.addEventListener("change", () => parts.state.choosePoint(Number(points.value) || null));
}

/**
 * @param {string} action
 * @param {Parts} parts
 */
export function press(action, parts) {
  const { state, actions, dialogs, search } = parts;
  const { point, subject: entry } = state;
  const again = () => press(action, parts);
  if (parts.day.press(action)) return;
  switch (action) {
    case "issue-ticket":
      dialogs.issue.open(state.desk);
      break;
    case "keys":
      void dialogs.keys.open();
      break;
    case "more": // the menu handles the button itself
      break;
    case "search":
      search.focus();
      break;
    case "call-next":
      if (point) void actions.run(action, { point_id: point.id }, { point: point.name }, again);
      break;
    case "call":
      if (entry && point) {
        void actions.run(action, { entry_id: entry.id, point_id: point.id }, { label: entry.label, point: point.name }, again);
      }
      break;
    case "undo": {
      const step = state.undoStep();
      if (step?.step === DELAY_ANNOUNCED) void actions.run("withdraw-delay", { site_id: state.site.id }, {}, again);
      else if (step) void actions.takeBack(step, again);
      break;
    }
    case "clear-unreached":
      if (entry) void actions.run(action, { subject_id: entry.id }, { label: entry.label }, again);
      break;
    default:
      if (entry && !openDialogFor(action, entry, parts)) {
        const at = state.desk.points.find(({ id }) => id === entry.point) ?? point;
        void actions.run(action, { entry_id: entry.id }, { label: entry.label, point: at?.name ?? "" }, again);
      }
  }
}

/**
 * Open the dialog of an action, or print. Returns false for an action that needs no dialog.
 *
 * @param {string} action
 * @param {import("./desk.js").Entry} entry
 * @param {Parts} parts
 * @returns {boolean}
 */
function openDialogFor(action, entry, { state: { desk }, actions, dialogs }) {
  switch (action) {
    case "transfer":
      dialogs.transfer.open(entry, desk.queues.filter(({ id }) => id !== entry.queue), desk.providers, desk.points);
      return true;
    case "move":
      void dialogs.move.open(desk, entry);
      return true;
    case "amend-visit":
      void dialogs.amend.open(desk, entry);
      return true;
    case "reprioritise":
      void dialogs.priority.open(entry);
      return true;
    case "running-late":
      void dialogs.runningLate.open(entry);
      return true;
    case "cancel":
      void dialogs.cancel.open(entry);
      return true;
    case "print":
      void actions.print(entry.id);
      return true;
    default:
      return false;
  }
}

/**
 * Return a function that tells whether the user may do an action, by the command's name.
 *
 * @param {import("../shared/session.js").User} user
 * @returns {(action: string) => boolean}
 */
export function permissionsOf({ may }) {
  const allowed = new Set(may);
  return (action) => allowed.has(action);
}

/**
 * Hide the elements of forbidden actions. `data-action` names an element's action, or `data-needs` if it needs another one.
 *
 * @param {Document | HTMLElement} page
 * @param {(action: string) => boolean} may
 */
export function hideForbidden(page, may) {
  for (const part of /** @type {NodeListOf<HTMLElement>} */ (page.querySelectorAll("[data-action], [data-needs]"))) {
    if (!may(part.dataset.needs ?? part.dataset.action ?? "")) part.hidden = true;
  }
}

/**
 * The button that opens the menu of the less frequent actions. Their keys work while the menu is closed, too.
 *
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} menu
 */
export function moreMenu(button, menu) {
  /** @param {boolean} shown */
  function show(shown) {
    menu.hidden = !shown;
    button.setAttribute("aria-expanded", String(shown));
  }
  const items = () => /** @type {HTMLButtonElement[]} */ ([...menu.querySelectorAll("button:not(:disabled, [hidden])")]);

  // Close the menu before the action: a dialog returns the focus to the element that had it.
  menu.addEventListener(
    "click",
    () => {
      show(false);
      button.focus();
    },
    { capture: true },
  );
  document.addEventListener("pointerdown", ({ target }) => {
    if (target instanceof Node && !menu.contains(target) && !button.contains(target)) show(false);
  });
  menu.addEventListener("focusout", ({ relatedTarget: to }) => {
    if (to instanceof Node && !menu.contains(to) && to !== button) show(false);
  });
  menu.addEventListener("keydown", (event) => {
    const all = items();
    const at = all.findIndex((each) => each === event.target);
    if (event.key === "Escape") {
      show(false);
      button.focus();
    } else if (event.key === "ArrowDown") all[(at + 1) % all.length]?.focus();
    else if (event.key === "ArrowUp") all.at(at - 1)?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  button.addEventListener("click", ({ detail: byPointer }) => {
    show(menu.hidden);
    if (!menu.hidden && !byPointer) items()[0]?.focus();
  });
}
