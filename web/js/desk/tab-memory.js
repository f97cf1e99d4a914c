/**
 * The last view of a desk or a room in this tab, so that it is there after a reload even while the server is not. It holds
 * names: it is kept for the tab alone, and gone with the session.
 */

/**
 * @typedef {import("../live/view.js").View} View
 * @typedef {{view: View, at: number}} Kept
 */

const SESSION = "desk-session";
const VIEW = "desk-view:";

/**
 * @param {string} name  whose view it is: of a site's desk, or of a room
 * @param {View} view
 * @param {number} at  when it was last known to be true, in the server's time
 */
export function saveView(name, view, at) {
  const { seq, heartbeatMs, cells } = view;
  keep(VIEW + name, { at, seq, heartbeatMs, cells: Object.fromEntries(cells) });
}

/**
 * @param {string} name
 * @returns {Kept | null}
 */
export function savedView(name) {
  const kept = recall(VIEW + name);
  if (kept === null) return null;
  const { at, seq, heartbeatMs, cells } = kept;
  return { at, view: { seq, heartbeatMs, cells: new Map(Object.entries(cells)) } };
}

/** @param {import("../shared/session.js").Session} session */
export const saveSession = (session) => keep(SESSION, session);

/** @returns {import("../shared/session.js").Session | null} */
export const savedSession = () => recall(SESSION);

/** Whoever was signed in is so no more. */
export function clearTabMemory() {
  try {
    for (const key of Object.keys(sessionStorage)) if (key === SESSION || key.startsWith(VIEW)) sessionStorage.removeItem(key);
  } catch {
    // it keeps nothing
  }
}

/**
 * @param {string} key
 * @param {unknown} value
 */
function keep(key, value) {
  try {
    sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // full, or not allowed: then nothing survives
  }
}

/**
 * @param {string} key
 * @returns {any}
 */
function recall(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}
