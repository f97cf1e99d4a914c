/** Which key presses which button: the defaults, and the changes of this browser. Pure functions. */

/**
 * Every action that has a key, in the order of the dialog, with its default key.
 *
 * @type {Readonly<Record<string, string>>}
 */
export const DEFAULT_KEYS = Object.freeze({
  "call-next": "n",
  call: "a",
  recall: "r",
  start: "s",
  complete: "c",
  "no-show": "x",
  hold: "h",
  return: "b",
  transfer: "t",
  move: "m",
  undo: "u",
  "amend-visit": "e",
  history: "w",
  reprioritise: "y",
  "running-late": "l",
  leave: "v",
  cancel: "d",
  "clear-unreached": "g",
  "issue-ticket": "i",
  "check-in": "k",
  book: "f",
  appointments: "j",
  print: "p",
  more: "o",
  search: "/",
  keys: "?",
});

/** @typedef {Record<string, string>} Keymap  a key for each action */

/**
 * Return the keymap that a browser has saved. A missing or invalid entry keeps its default key.
 *
 * @param {string | null} saved  JSON
 * @returns {Keymap}
 */
export function readKeymap(saved) {
  /** @type {unknown} */
  let changed = null;
  try {
    changed = JSON.parse(saved ?? "null");
  } catch {
    // invalid JSON counts as nothing saved
  }
  const keymap = { ...DEFAULT_KEYS };
  if (typeof changed !== "object" || changed === null) return keymap;
  for (const [action, key] of Object.entries(changed)) {
    if (action in DEFAULT_KEYS && isKey(key)) keymap[action] = key;
  }
  const keys = Object.values(keymap);
  return new Set(keys).size === keys.length ? keymap : { ...DEFAULT_KEYS };
}

/**
 * Return the keys to save, as JSON: only those that differ from the defaults.
 *
 * @param {Keymap} keymap
 */
export function changedKeys(keymap) {
  return JSON.stringify(Object.fromEntries(Object.entries(keymap).filter(([action, key]) => DEFAULT_KEYS[action] !== key)));
}

/**
 * Give an action another key. Returns the new keymap, or the action that uses this key already.
 *
 * @param {Keymap} keymap
 * @param {string} action
 * @param {string} key
 * @returns {{keymap: Keymap, taken?: undefined} | {keymap?: undefined, taken: string}}
 */
export function assignKey(keymap, action, key) {
  const taken = Object.keys(keymap).find((other) => other !== action && keymap[other] === key);
  return taken === undefined ? { keymap: { ...keymap, [action]: key } } : { taken };
}

/**
 * Return the pressed key as a keymap writes it, or null for a key that no action can have: keys that move the focus,
 * select or close belong to the browser.
 *
 * @param {{key: string}} event
 * @returns {string | null}
 */
export function keyOf({ key }) {
  const lower = key.toLowerCase();
  return isKey(lower) ? lower : null;
}

/** @param {unknown} key */
const isKey = (key) => typeof key === "string" && [...key].length === 1 && key !== " " && key === key.toLowerCase();
