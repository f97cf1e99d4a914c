import { guestOf, possibleAt } from "./desk.js";
import { find, say } from "../dom.js";
import { t } from "../i18n.js";

/** @typedef {import("./desk.js").Desk} Desk */

/**
 * Show who is at my point and what can be done there: only the steps that its state allows can be pressed, and the usual
 * next one stands out. The buttons keep their places.
 *
 * @param {HTMLElement} bar
 * @param {Desk} desk
 * @param {number | null} mine
 */
export function showActions(bar, desk, mine) {
  const point = desk.points.find(({ id }) => id === mine) ?? null;
  const guest = guestOf(desk, point);
  const possible = possibleAt(desk, point);
  bar.dataset.state = guest?.state ?? "free";
  say(find(".guest-ticket", bar), guest?.label ?? "–");
  say(find(".guest-name", bar), guest?.name ?? "");
  say(find(".guest-state", bar), point === null ? t("guest.no_point") : t(`guest.${guest?.state ?? "free"}`));
  const focused = document.activeElement;
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (bar.querySelectorAll("[data-action]"))) {
    const action = button.dataset.action ?? "";
    button.disabled = !possible.includes(action);
    button.classList.toggle("is-primary", action === possible[0]);
  }
  // A button that can no longer be pressed drops the keyboard's focus: hand it on to the next step.
  if (focused instanceof HTMLButtonElement && focused.disabled && bar.contains(focused)) {
    /** @type {HTMLElement | null} */ (bar.querySelector(".is-primary"))?.focus();
  }
}
