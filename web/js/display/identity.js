/** The display that this browser is. The browser remembers it, so that a restart at any address shows the same display. */

import { forget, recall, remember } from "../shared/memory.js";
import { isFromServer, refusalOf, request } from "../shared/request.js";

/**
 * @typedef {{id: string, token: string}} Identity  `id`: "" for a browser that is no display yet; `token`: "" without one
 */

const LAST = "display";
const TRIAL_MS = 4_000;
const tokenKey = (/** @type {string | number} */ id) => `display:${id}`;
/** The name of a token from an address that the server has not accepted yet. */
const givenKey = (/** @type {string | number} */ id) => `display-given:${id}`;

/**
 * Return the display of the page's address. An address without a display leads to the last one of this browser.
 *
 * @returns {Identity}
 */
export function readIdentity() {
  const id = location.pathname.split("/")[2] ?? "";
  takeToken(id);
  const last = recall(LAST);
  if (id === "" && last !== null) location.replace(`/display/${last}`);
  return { id, token: recall(tokenKey(id)) ?? "" };
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
  forget(givenKey(id));
  forget(LAST);
}

/**
 * Try the token that an address gave. The display's own token stays until the server accepts the other one.
 *
 * @param {Identity} identity  gets the accepted token
 * @returns {Promise<"none" | "accepted" | "refused" | "unknown">}  `unknown`: the server does not answer, so try again later
 */
export async function tryGivenToken(identity) {
  const { id } = identity;
  const given = recall(givenKey(id));
  if (given === null) return "none";
  const headers = { Authorization: `Bearer ${given}` };
  const answer = await request(`/live/displays/${id}`, { method: "HEAD", cache: "no-store", headers }, TRIAL_MS).catch(() => null);
  if (answer?.ok && isFromServer(answer)) {
    remember(tokenKey(id), given);
    forget(givenKey(id));
    identity.token = given;
    return "accepted";
  }
  if (answer === null || refusalOf(answer) === null || (answer.status !== 401 && answer.status !== 403)) return "unknown";
  forget(givenKey(id));
  return "refused";
}

/**
 * Move a token from the address into the browser's memory, because anybody can read an address. It is to be tried if the
 * display has a token already.
 *
 * @param {string} id
 */
function takeToken(id) {
  const query = new URLSearchParams(location.search);
  const given = query.get("token");
  if (given === null) return;
  const own = recall(tokenKey(id));
  if (own === null) remember(tokenKey(id), given);
  else if (own !== given) remember(givenKey(id), given);
  query.delete("token");
  history.replaceState(null, "", location.pathname + (query.size > 0 ? `?${query}` : ""));
}
