import { element, find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { assignKey, keyOf } from "./keymap.js";

/**
 * The dialog that lists every action with its key, and changes the keys.
 *
 * @param {HTMLDialogElement} dialog
 * @param {import("./keyboard.js").KeySettings} keys
 * @param {(action: string) => boolean} [isOffered]  whether this page has the action
 * @returns {{open: () => void}}
 */
export function keysDialog(dialog, keys, isOffered = () => true) {
  const rows = find("[data-keys-list]", dialog);
  const status = find("[data-keys-status]", dialog);
  const enabled = /** @type {HTMLInputElement} */ (find("[data-keys-wanted]", dialog));
  /** The action whose new key the user is about to press. @type {string | null} */
  let asking = null;

  /** @param {string | null} focus  the action whose button gets the focus */
  function show(focus = null) {
    enabled.checked = keys.enabled;
    const offered = Object.entries(keys.keymap).filter(([action]) => isOffered(action));
    rows.replaceChildren(...offered.map(([action, key]) => makeRow(action, key, asking === action, () => askFor(action))));
    if (focus !== null) /** @type {HTMLElement | null} */ (rows.querySelector(`[data-change="${focus}"]`))?.focus();
  }

  /** @param {string | null} action  null: no new key after all */
  function askFor(action) {
    const before = asking;
    asking = action;
    setText(status, action === null ? "" : t("desk.keys.ask", { action: nameOf(action) }));
    show(action ?? before);
  }

  /** @param {string} action @param {string} key */
  function changeKey(action, key) {
    const { keymap, taken } = assignKey(keys.keymap, action, key);
    if (keymap === undefined) {
      setText(status, t("desk.keys.taken", { key: key.toUpperCase(), action: nameOf(taken) }));
      return;
    }
    asking = null;
    keys.change(keymap);
    setText(status, t("desk.keys.changed", { key: key.toUpperCase(), action: nameOf(action) }));
    show(action);
  }

  dialog.addEventListener("keydown", (event) => {
    if (asking === null || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Escape") {
      event.preventDefault(); // Escape ends the question first, and closes the dialog the next time
      askFor(null);
      return;
    }
    const key = keyOf(event);
    if (key === null) return;
    event.preventDefault();
    changeKey(asking, key);
  });
  enabled.addEventListener("change", () => keys.setEnabled(enabled.checked));
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

/** @param {string} action */
const nameOf = (action) => t(`action.${action}`);

/**
 * @param {string} action
 * @param {string} key
 * @param {boolean} asking  whether the user is about to press its new key
 * @param {() => void} onChange
 */
function makeRow(action, key, asking, onChange) {
  const name = t("desk.keys.change.name", { action: nameOf(action) });
  const change = element("button", { type: "button", className: "button is-quiet", "aria-label": name });
  change.dataset.change = action;
  change.append(asking ? t("desk.keys.press") : t("desk.keys.change"));
  change.addEventListener("click", onChange);
  return element("li", { className: "keys-row" }, element("span", {}, nameOf(action)), element("kbd", {}, key), change);
}
