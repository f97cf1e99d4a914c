/** The definition of a figure, one touch away: a button beside the figure opens it. */

import { element, icon, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";

const SIGN = "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 11v5m0-8.5v.01";
const GAP = 8;

/**
 * Return the button that opens a definition.
 *
 * @param {string} name  of the figure, in the reader's language
 * @param {string} text  its definition
 */
export function definitionButton(name, text) {
  const button = element("button", { className: "definition-button", type: "button", "aria-haspopup": "dialog", "aria-label": t("insights.definition", { name }) }, icon(SIGN));
  button.addEventListener("click", () => show(button, name, text));
  return button;
}

/** @type {HTMLElement | null} */
let popover = null;
/** The button of the open definition. @type {HTMLElement | null} */
let opener = null;

/**
 * @param {HTMLElement} button
 * @param {string} name
 * @param {string} text
 */
function show(button, name, text) {
  popover ??= made();
  const box = popover;
  const title = /** @type {HTMLElement} */ (box.firstElementChild);
  const body = /** @type {HTMLElement} */ (title.nextElementSibling);
  setText(title, name);
  setText(body, text);
  button.focus(); // some browsers do not focus a clicked button; the browser gives the focus back when the definition closes
  opener = button;
  box.showPopover();
  place(box, button);
  box.focus();
}

function made() {
  const box = element(
    "div",
    { id: "definition", className: "definition", popover: "auto", role: "dialog", tabIndex: -1, "aria-labelledby": "definition-name", "aria-describedby": "definition-text" },
    element("h2", { id: "definition-name" }),
    element("p", { id: "definition-text" }),
  );
  const close = element("button", { className: "button", type: "button" }, t("insights.close"));
  close.addEventListener("click", () => box.hidePopover());
  box.append(close);
  // Tab leaves the definition: it would stand over the next element.
  box.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget instanceof Node && !box.contains(relatedTarget) && box.matches(":popover-open")) box.hidePopover();
  });
  addEventListener("resize", () => {
    if (opener !== null && box.matches(":popover-open")) place(box, opener);
  });
  document.body.append(box);
  return box;
}

/**
 * Put the definition below its button, or above it near the end of the window, and always inside of the window.
 *
 * @param {HTMLElement} box
 * @param {HTMLElement} button
 */
function place(box, button) {
  const { left, right, top, bottom } = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = box;
  const start = document.dir === "rtl" ? right - width : left;
  const x = Math.max(GAP, Math.min(start, innerWidth - width - GAP));
  const below = bottom + GAP;
  const y = below + height <= innerHeight - GAP ? below : Math.max(GAP, Math.min(top - GAP, innerHeight - GAP) - height);
  Object.assign(box.style, { left: `${x}px`, top: `${y}px` });
}
