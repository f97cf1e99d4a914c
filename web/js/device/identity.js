/** The display or the kiosk that this browser is. The browser remembers it: a restart at any address shows the same device. */

import { forget, recall, remember } from "../shared/memory.js";
import { isFromServer, refusalOf, request } from "../shared/request.js";

/**
 * @typedef {"display" | "kiosk"} Kind
 * @typedef {{kind: Kind, id: string, token: string}} Identity  `id`: "" for a browser that is no device yet; `token`: ""
 *   without one
 */

const TRIAL_MS = 4_000;
const tokenKey = (/** @type {Kind} */ kind, /** @type {string | number} */ id) => `${kind}:${id}`;
/** The name of a token from an address that the server has not accepted yet. */
const givenKey = (/** @type {Kind} */ kind, /** @type {string | number} */ id) => `${kind}-given:${id}`;

/**
 * Return the device of the page's address. An address without a device leads to the last one of this browser.
 *
 * @param {Kind} kind
 * @returns {Identity}
 */
export function readIdentity(kind) {
  const id = location.pathname.split("/")[2] ?? "";
  takeToken(kind, id);
  const last = recall(kind);
  if (id === "" && last !== null) location.replace(`/${kind}/${last}`);
  return { kind, id, token: recall(tokenKey(kind, id)) ?? "" };
}

/** @param {Pick<Identity, "kind" | "id">} identity */
export const rememberIdentity = ({ kind, id }) => remember(kind, id);

/**
 * Remember the device that this browser was paired as.
 *
 * @param {{kind: Kind, device_id: number, token: string}} device
 */
export function rememberPairing({ kind, device_id: id, token }) {
  remember(tokenKey(kind, id), token);
  rememberIdentity({ kind, id: String(id) });
}

/** @param {Identity} identity */
export function forgetIdentity({ kind, id }) {
  forget(tokenKey(kind, id));
  forget(givenKey(kind, id));
  forget(kind);
}

/**
 * Try the token that an address gave. The device's own token stays until the server accepts the other one.
 *
 * @param {Identity} identity  gets the accepted token
 * @returns {Promise<"none" | "accepted" | "refused" | "unknown">}  `unknown`: the server does not answer, so try again later
 */
export async function tryGivenToken(identity) {
  const { kind, id } = identity;
  const given = recall(givenKey(kind, id));
  if (given === null) return "none";
  const headers = { Authorization: `Bearer ${given}` };
  const answer = await request(liveAddress(identity), { method: "HEAD", cache: "no-store", headers }, TRIAL_MS).catch(() => null);
  if (answer?.ok && isFromServer(answer)) {
    remember(tokenKey(kind, id), given);
    forget(givenKey(kind, id));
    identity.token = given;
    return "accepted";
  }
  if (answer === null || refusalOf(answer) === null || (answer.status !== 401 && answer.status !== 403)) return "unknown";
  forget(givenKey(kind, id));
  return "refused";
}

/**
 * Return the address of the device's stream.
 *
 * @param {Pick<Identity, "kind" | "id">} identity
 */
export const liveAddress = ({ kind, id }) => `/live/${kind}s/${id}`;

/**
 * Move a token from the address into the browser's memory, because anybody can read an address. It is to be tried if the
 * device has a token already.
 *
 * @param {Kind} kind
 * @param {string} id
 */
function takeToken(kind, id) {
  const query = new URLSearchParams(location.search);
  const given = query.get("token");
  if (given === null) return;
  const own = recall(tokenKey(kind, id));
  if (own === null) remember(tokenKey(kind, id), given);
  else if (own !== given) remember(givenKey(kind, id), given);
  query.delete("token");
  history.replaceState(null, "", location.pathname + (query.size > 0 ? `?${query}` : ""));
}
