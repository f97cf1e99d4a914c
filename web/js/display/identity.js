/** The display that this browser is. The browser remembers it, so that a restart at any address shows the same display. */

import { forget, recall, remember } from "../shared/memory.js";

/**
 * @typedef {{id: string, token: string}} Identity  `id`: "" for a browser that is no display yet; `token`: "" without one
 */

const LAST = "display";
const tokenKey = (/** @type {string | number} */ id) => `display:${id}`;

/**
 * Return the display of the page's address. An address without a display leads to the last one of this browser.
 *
 * @returns {Identity}
 */
export function readIdentity() {
  const id = location.pathname.split("/")[2] ?? "";
  const token = takeToken(id);
  const last = recall(LAST);
  if (id === "" && last !== null) location.replace(`/display/${last}`);
  return { id, token };
}

/** @param {string} id */
export const rememberDisplay = (id) => remember(LAST, id);

/**
 * Remember the display that this browser was paired as.
 *
 * @param {{device_id: number, token: string}} device
 */
export function rememberPairing({ device_id: id, token }) {
  remember(tokenKey(id), token);
  rememberDisplay(String(id));
}

/** @param {Identity} identity */
export function forgetIdentity({ id }) {
  forget(tokenKey(id));
  forget(LAST);
}

/**
 * Return the display's token. One in the address moves into the browser's memory, because anybody can read an address.
 *
 * @param {string} id
 */
function takeToken(id) {
  const query = new URLSearchParams(location.search);
  const given = query.get("token");
  if (given === null) return recall(tokenKey(id)) ?? "";
  remember(tokenKey(id), given);
  query.delete("token");
  history.replaceState(null, "", location.pathname + (query.size > 0 ? `?${query}` : ""));
  return given;
}
