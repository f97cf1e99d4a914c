/**
 * Single keys that press a page's buttons. Each button names its key in `aria-keyshortcuts`.
 *
 * A key does nothing while the user types, while a dialog is open, or while the key is held down. A user who steers by
 * voice, or touches keys by accident, can turn the keys off or change them (WCAG 2.1.4).
 */

import { setText } from "../shared/dom.js";
import { recall, remember } from "../shared/memory.js";
import { DEFAULT_KEYS, changedKeys, keyOf, readKeymap } from "./keymap.js";

const ENABLED = "keys";
const KEYMAP = "keymap";

/** The keys of this browser: which they are, and whether they are on. Event: `change`. */
export class KeySettings extends EventTarget {
  keymap = readKeymap(recall(KEYMAP));
  enabled = recall(ENABLED) !== "off";

  /** @param {import("./keymap.js").Keymap} keymap */
  change(keymap) {
    this.keymap = keymap;
    remember(KEYMAP, changedKeys(keymap));
    this.dispatchEvent(new Event("change"));
  }

  /** Restore the default keys. */
  reset() {
    this.change({ ...DEFAULT_KEYS });
  }

  /** @param {boolean} enabled */
  setEnabled(enabled) {
    this.enabled = enabled;
    remember(ENABLED, enabled ? "on" : "off");
    this.dispatchEvent(new Event("change"));
  }
}

/**
 * Let keys press a page's buttons (`data-action`), and show each button's key on it.
 *
 * @param {KeySettings} keys
 * @param {(button: HTMLButtonElement) => void} onDisabled  called for a key whose button is disabled now: a command in
 *   progress may enable it in a moment
 */
export function pressButtonsByKeys(keys, onDisabled) {
  keys.addEventListener("change", () => labelButtons(keys));
  labelButtons(keys);
  document.addEventListener("keydown", (event) => {
    if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || event.isComposing || !keys.enabled) return;
    const field = event.target instanceof Element ? event.target.closest("input, select, textarea, [contenteditable]") : null;
    if (field?.checkVisibility()) return; // a hidden one keeps the focus for a moment after its dialog has closed
    if (document.querySelector("dialog[open]")) return;
    const key = keyOf(event);
    if (key === null) return;
    const button = document.querySelector(`button[aria-keyshortcuts="${CSS.escape(key)}"]:not([hidden])`);
    if (!(button instanceof HTMLButtonElement)) return;
    event.preventDefault(); // else the letter goes into the field of the dialog that the button opens
    if (button.disabled) onDisabled(button);
    else button.click();
  });
}

/** @param {KeySettings} keys */
function labelButtons(keys) {
  document.body.classList.toggle("has-keys", keys.enabled);
  for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-action]"))) {
    const key = keys.keymap[button.dataset.action ?? ""];
    if (key === undefined) continue;
    if (keys.enabled) button.setAttribute("aria-keyshortcuts", key);
    else button.removeAttribute("aria-keyshortcuts");
    const shown = button.querySelector("kbd");
    if (shown) setText(shown, key);
  }
}
