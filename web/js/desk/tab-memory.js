/**
 * The last view of a desk or a room and the session, kept in this tab for a reload while the server is away. The view
 * holds names: it stays in the tab, and ends with the session.
 */

/**
 * @typedef {import("../live/view.js").View} View
 * @typedef {{view: View, at: number}} Saved
 */

const SESSION = "desk-session";
const VIEW = "desk-view:";

/**
 * @param {string} name  of the view: a site's desk or a room
 * @param {View} view
 * @param {number} at    when the server last confirmed it, in the server's time (milliseconds)
 */
export function saveView(name, view, at) {
  const { seq, heartbeatMs, cells } = view;
  save(VIEW + name, { at, seq, heartbeatMs, cells: Object.fromEntries(cells) });
}

/**
 * @param {string} name
 * @returns {Saved | null}
 */
export function savedView(name) {
  const saved = read(VIEW + name);
  if (saved === null) return null;
  const { at, seq, heartbeatMs, cells } = saved;
  return { at, view: { seq, heartbeatMs, cells: new Map(Object.entries(cells)) } };
}

/** @param {import("../shared/session.js").Session} session */
export const saveSession = (session) => save(SESSION, session);

/** @returns {import("../shared/session.js").Session | null} */
export const savedSession = () => read(SESSION);

/** Remove the session and every view. */
export function clearTabMemory() {
  try {
    for (const key of Object.keys(sessionStorage)) if (key === SESSION || key.startsWith(VIEW)) sessionStorage.removeItem(key);
  } catch {
    // the browser allows no storage, so there is nothing to remove
  }
}

/**
 * @param {string} key
 * @param {unknown} value
 */
function save(key, value) {
  try {
    sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // the storage is full or not allowed: the page works without it
  }
}

/**
 * @param {string} key
 * @returns {any}
 */
function read(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}
