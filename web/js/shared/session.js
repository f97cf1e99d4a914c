/** The session of a member of staff. Its tokens are cookies that no script can read. */

import { forget, recall, remember } from "./memory.js";
import { post, request } from "./request.js";

/**
 * @typedef {{id: number, username: string, role: string, may: string[]}} User  with all that they may do, by name
 * @typedef {{id: number, name: string, time_zone: string, language: string}} Site
 * @typedef {{user: User, sites: Site[]}} Session
 * @typedef {{code: string, details: Record<string, any>}} Refusal
 */

const ADDRESS = "/api/v1/session";
const REFRESH_EVERY_MS = 10 * 60_000; // an access token lives for fifteen
const HINT = "signed-in";

/** Where each role works. */
const HOMES = new Map([["clinician", "/room"]]);

/**
 * Return the screen that a role is led to.
 *
 * @param {string} role
 */
export const homeOf = (role) => HOMES.get(role) ?? "/reception";

/**
 * Return who is signed in, or null.
 *
 * @returns {Promise<Session | null>}
 */
export async function currentSession() {
  let answer = await request(ADDRESS);
  if (answer.status === 401 && hasSignedInBefore()) {
    await refreshSession();
    answer = await request(ADDRESS);
  }
  if (answer.ok) {
    remember(HINT, "1");
    return answer.json();
  }
  if (answer.status === 401) {
    forget(HINT);
    return null;
  }
  throw new Error(`the session answered ${answer.status}`);
}

/** Whether this browser has signed in before: a page that is for everyone need not ask the server. */
export const hasSignedInBefore = () => recall(HINT) !== null;

/**
 * Sign in. Returns who one is now, or why it was refused.
 *
 * @param {string} username
 * @param {string} password
 * @returns {Promise<{user: User, error?: undefined} | {user?: undefined, error: Refusal}>}
 */
export async function signIn(username, password) {
  const answer = await post(ADDRESS, { username, password });
  const { user, error } = await answer.json();
  if (error !== undefined) return { error };
  remember(HINT, "1");
  return { user };
}

/** Exchange the refresh token for new cookies; return whether it worked. */
export async function refreshSession() {
  const exchange = async () => (await post(`${ADDRESS}/refresh`, {})).ok;
  // It is good once: of two pages that refresh at the same moment, one would lose. Locks need a secure context.
  return navigator.locks ? navigator.locks.request(ADDRESS, exchange) : exchange();
}

/** Refresh as long as the page is open. */
export function keepSessionFresh() {
  setInterval(() => void refreshSession().catch(() => false), REFRESH_EVERY_MS);
}

/** End the session. */
export async function signOut() {
  forget(HINT);
  await request(ADDRESS, { method: "DELETE" });
}

/** Go and sign in, then come back here. */
export function goToSignIn() {
  location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
}

/**
 * Return where to go after signing in: a path of this origin, whatever the address asked for; else one's own screen.
 *
 * @param {string | null} wanted
 * @param {string} origin
 * @param {string} home
 * @returns {string}
 */
export function destinationAfterSignIn(wanted, origin, home) {
  if (wanted === null || !wanted.startsWith("/")) return home;
  const url = URL.canParse(wanted, origin) ? new URL(wanted, origin) : null;
  return url !== null && url.origin === origin ? url.pathname + url.search + url.hash : home;
}
