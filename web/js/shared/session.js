/** The session of a member of staff. Its tokens are in cookies that scripts cannot read. */

import { forget, recall, remember } from "./memory.js";
import { isFromServer, post, refusalOf, request } from "./request.js";

/**
 * @typedef {{id: number, username: string, role: string, may: string[]}} User  `may`: the names of the actions that the
 *   role allows
 * @typedef {{id: number, name: string, time_zone: string, language: string}} Site
 * @typedef {{user: User, sites: Site[]}} Session
 * @typedef {{code: string, details: Record<string, any>}} Refusal
 */

const ADDRESS = "/api/v1/session";
const REFRESH_EVERY_MS = 10 * 60_000; // an access token lives for fifteen minutes
const HINT = "signed-in";

/**
 * Return whether the server itself says that nobody is signed in. A proxy may answer 401 too.
 *
 * @param {Response} answer
 */
const isSignedOut = (answer) => answer.status === 401 && refusalOf(answer) !== null;

/** The start page of a role, if it is not reception. */
const HOMES = new Map([["admin", "/admin"], ["clinician", "/room"]]);

/**
 * Return the start page of a role.
 *
 * @param {string} role
 */
export const homeOf = (role) => HOMES.get(role) ?? "/reception";

/**
 * Return the session, or null if nobody is signed in. Throws if the server does not answer, or answers with another error.
 *
 * @returns {Promise<Session | null>}
 */
export async function currentSession() {
  let answer = await request(ADDRESS);
  if (isSignedOut(answer) && hasSignedInBefore()) {
    await refreshSession();
    answer = await request(ADDRESS);
  }
  if (answer.ok) {
    const session = await answer.json();
    remember(HINT, "1");
    return session;
  }
  if (isSignedOut(answer)) {
    forget(HINT);
    return null;
  }
  throw new Error(`the session answered ${answer.status}`);
}

/** Return whether this browser has signed in before. If not, a public page need not ask the server for the session. */
export const hasSignedInBefore = () => recall(HINT) !== null;

/**
 * @typedef {{user: User, codeNeeded?: undefined, error?: undefined}
 *   | {codeNeeded: true, user?: undefined, error?: undefined}
 *   | {error: Refusal, user?: undefined, codeNeeded?: undefined}} SignInOutcome
 */

/**
 * Sign in. Returns the user, that a code is needed, or the server's refusal. Throws for any other answer, or none.
 *
 * @param {string} username
 * @param {string} password
 */
export const signIn = async (username, password) => outcomeOf(await post(ADDRESS, { username, password }));

/**
 * Send the code of the second factor, after the right password. Returns and throws as `signIn`.
 *
 * @param {string} code
 */
export const sendCode = async (code) => outcomeOf(await post(`${ADDRESS}/code`, { code }));

/**
 * Return what an answer to a sign-in means. Throws for an answer that is not the server's.
 *
 * @param {Response} answer
 * @returns {Promise<SignInOutcome>}
 */
export async function outcomeOf(answer) {
  if (!answer.ok && refusalOf(answer) === null) throw new Error(`the sign-in answered ${answer.status}`);
  const { user, state, error } = await answer.json();
  if (error !== undefined) return { error };
  if (state === "second_factor_needed") return { codeNeeded: true };
  remember(HINT, "1");
  return { user };
}

/**
 * Exchange the refresh token for new cookies. Returns whether the server accepted it. Throws for any other answer, or none.
 *
 * @returns {Promise<boolean>}
 */
export async function refreshSession() {
  const exchange = async () => {
    const answer = await post(`${ADDRESS}/refresh`, {});
    if (answer.ok && isFromServer(answer)) return true;
    if (isSignedOut(answer)) return false;
    throw new Error(`the refresh answered ${answer.status}`);
  };
  // A refresh token is valid once: of two pages that use it at the same moment, one would fail. Locks need a secure context.
  return navigator.locks ? navigator.locks.request(ADDRESS, exchange) : exchange();
}

/**
 * Send a request as the user. If the access has ended, refresh the session and send once more.
 *
 * @param {() => Promise<Response>} send
 */
export async function asUser(send) {
  const answer = await send();
  if (!isSignedOut(answer)) return answer;
  // Send again even if the refresh failed: another page may have refreshed the session in between.
  await refreshSession().catch(() => false);
  return send();
}

/** Refresh the session every ten minutes while the page is open. */
export function keepSessionFresh() {
  setInterval(() => void refreshSession().catch(() => false), REFRESH_EVERY_MS);
}

/** End the session. */
export async function signOut() {
  forget(HINT);
  await request(ADDRESS, { method: "DELETE" });
}

/** Go to the sign-in page, which leads back here. */
export function goToSignIn() {
  location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
}

/**
 * Return where to go after signing in: the wanted path if it is one of this origin, else the user's start page.
 *
 * @param {string | null} wanted
 * @param {string} origin
 * @param {string} home
 * @returns {string}
 */
export function destinationAfterSignIn(wanted, origin, home) {
  if (wanted === null || !wanted.startsWith("/")) return home;
  const url = URL.canParse(wanted, origin) ? new URL(wanted, origin) : null;
  // A browser reads a path that begins with two slashes as another host: `/.//evil.example` becomes one.
  if (url === null || url.origin !== origin || url.pathname.startsWith("//")) return home;
  return url.pathname + url.search + url.hash;
}
