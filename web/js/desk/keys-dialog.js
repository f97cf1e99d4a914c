import { element, find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { assignKey, keyOf } from "./keymap.js";

/** @typedef {import("./keyboard.js").KeySettings} Keys */

/**
 * Say in a dialog which key does what, and let it be changed.
 *
 * @param {HTMLDialogElement} dialog
 * @param {Keys} keys
 * @param {(action: string) => boolean} [used]  whether this page has the action
 * @returns {{open: () => void}}
 */
export function keysDialog(dialog, keys, used = () => true) {
  const nameOf = (/** @type {string} */ action) => t(`action.${action}`);
  const rows = find("[data-keys-list]", dialog);
  const status = find("[data-keys-status]", dialog);
  const wanted = /** @type {HTMLInputElement} */ (find("[data-keys-wanted]", dialog));
  /** The action that waits for its new key. @type {string | null} */
  let asking = null;

  /** @param {string | null} focus  the action whose button to focus */
  function show(focus = null) {
    wanted.checked = keys.wanted;
    rows.replaceChildren(
      ...Object.entries(keys.keymap).filter(([action]) => used(action)).map(([action, key]) => {
        const change = element("button", { type: "button", className: "button is-quiet", "aria-label": t("desk.keys.change.name", { action: nameOf(action) }) });
        change.dataset.change = action;
        change.append(asking === action ? t("desk.keys.press") : t("desk.keys.change"));
        change.addEventListener("click", () => ask(action));
        return element("li", { className: "keys-row" }, element("span", {}, nameOf(action)), element("kbd", {}, key), change);
      }),
    );
    if (focus !== null) /** @type {HTMLElement | null} */ (rows.querySelector(`[data-change="${focus}"]`))?.focus();
  }

  /** @param {string | null} action */
  function ask(action) {
    const before = asking;
    asking = action;
    setText(status, action === null ? "" : t("desk.keys.ask", { action: nameOf(action) }));
    show(action ?? before);
  }

  dialog.addEventListener("keydown", (event) => {
    if (asking === null || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Escape") {
      event.preventDefault(); // this once, it leaves the asking and not the dialog
      ask(null);
      return;
    }
    const key = keyOf(event);
    if (key === null) return;
    event.preventDefault();
    const { keymap, taken } = assignKey(keys.keymap, asking, key);
    if (keymap === undefined) {
      setText(status, t("desk.keys.taken", { key: key.toUpperCase(), action: nameOf(taken) }));
      return;
    }
    const action = asking;
    asking = null;
    keys.change(keymap);
    setText(status, t("desk.keys.changed", { key: key.toUpperCase(), action: nameOf(action) }));
    show(action);
  });
  wanted.addEventListener("change", () => keys.turn(wanted.checked));
  find("[data-keys-reset]", dialog).addEventListener("click", () => {
    asking = null;
    keys.reset();
    setText(status, t("desk.keys.reset.done"));
    show();
  });
  dialog.addEventListener("close", () => (asking = null));
  find("[data-close]", dialog).addEventListener("click", () => dialog.close());
  return {
    open() {
      setText(status, "");
      show();
      dialog.showModal();
    },
  };
}
