/** Which key does what at the desk: what it is at first, and what this browser has made of it. Pure. */

/** Every action that has a key, in the order of the sheet, with its first one. @type {Readonly<Record<string, string>>} */
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
  reprioritise: "y",
  "running-late": "l",
  leave: "v",
  cancel: "d",
  "issue-ticket": "i",
  print: "p",
  more: "o",
  search: "/",
  keys: "?",
});

/** @typedef {Record<string, string>} Keymap  a key for each action */

/**
 * Return the keymap that was kept; what is not in it, or makes no sense any more, is as at first.
 *
 * @param {string | null} kept
 * @returns {Keymap}
 */
export function readKeymap(kept) {
  /** @type {unknown} */
  let changed = null;
  try {
    changed = JSON.parse(kept ?? "null");
  } catch {
    // as if nothing had been kept
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
 * Return what to keep of a keymap: only what is other than at first.
 *
 * @param {Keymap} keymap
 */
export function changedKeys(keymap) {
  return JSON.stringify(Object.fromEntries(Object.entries(keymap).filter(([action, key]) => DEFAULT_KEYS[action] !== key)));
}

/**
 * Give an action another key. Returns the new keymap, or the action that has this key already.
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
 * Return the key that was pressed as a keymap writes it, or null if it is none that can be given: those that move, choose or
 * leave belong to the browser.
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
