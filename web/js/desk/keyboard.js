/**
 * Press a page's buttons by single keys. A button says which is its own by `aria-keyshortcuts`.
 *
 * Nothing is pressed while somebody types, chooses or answers a dialog, nor again and again by a key held down. Whoever
 * steers by voice, or brushes keys by accident, can turn it off, or give an action another key (WCAG 2.1.4).
 */

import { setText } from "../shared/dom.js";
import { recall, remember } from "../shared/memory.js";
import { DEFAULT_KEYS, changedKeys, keyOf, readKeymap } from "./keymap.js";

const WANTED = "keys";
const KEYMAP = "keymap";

/** The keys of this browser. */
export class KeySettings extends EventTarget {
  keymap = readKeymap(recall(KEYMAP));
  wanted = recall(WANTED) !== "off";

  /** @param {import("./keymap.js").Keymap} keymap */
  change(keymap) {
    this.keymap = keymap;
    remember(KEYMAP, changedKeys(keymap));
    this.dispatchEvent(new Event("change"));
  }

  /** As at first. */
  reset() {
    this.change({ ...DEFAULT_KEYS });
  }

  /** @param {boolean} wanted */
  turn(wanted) {
    this.wanted = wanted;
    remember(WANTED, wanted ? "on" : "off");
    this.dispatchEvent(new Event("change"));
  }
}

/**
 * Let a page's buttons (`data-action`) be pressed by keys, and show which.
 *
 * @param {KeySettings} keys
 * @param {(button: HTMLButtonElement) => void} tooSoon  told of a button that cannot be pressed: it may be, in a moment
 */
export function pressButtonsByKeys(keys, tooSoon) {
  const label = () => {
    document.body.classList.toggle("has-keys", keys.wanted);
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-action]"))) {
      const key = keys.keymap[button.dataset.action ?? ""];
      if (key === undefined) continue;
      if (keys.wanted) button.setAttribute("aria-keyshortcuts", key);
      else button.removeAttribute("aria-keyshortcuts");
      const shown = button.querySelector("kbd");
      if (shown) setText(shown, key);
    }
  };
  keys.addEventListener("change", label);
  label();
  document.addEventListener("keydown", (event) => {
    if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || event.isComposing || !keys.wanted) return;
    const typing = event.target instanceof Element ? event.target.closest("input, select, textarea, [contenteditable]") : null;
    if (typing?.checkVisibility()) return; // for a moment, one in a dialog that has just been closed has the focus still
    if (document.querySelector("dialog[open]")) return;
    const key = keyOf(event);
    if (key === null) return;
    const button = document.querySelector(`button[aria-keyshortcuts="${CSS.escape(key)}"]:not([hidden])`);
    if (!(button instanceof HTMLButtonElement)) return;
    event.preventDefault(); // or the letter lands in the field of the dialog that it opens
    if (button.disabled) tooSoon(button);
    else button.click();
  });
}
