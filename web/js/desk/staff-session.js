/**
 * The session on the screens of the staff. After a reload the tab starts at once with the session that it saved, until
 * the server says who is signed in.
 */

import { currentSession, goToSignIn, signOut } from "../shared/session.js";
import { clearTabMemory, saveSession, savedSession } from "./tab-memory.js";

/** @typedef {import("../shared/session.js").Session} Session */

export const RETRY_MS = 3_000;

/**
 * Start a screen with the session that the tab has saved, or else with the server's answer. The server is asked again
 * until it answers. Another session than the saved one reloads the page; without a session the page goes to the sign-in.
 *
 * @param {(session: Session) => unknown} start  called once
 * @param {(unreachable: boolean) => void} showUnreachable  true: there is nothing to show, because the server does not
 *   answer; false: it does again
 */
export async function whenSignedIn(start, showUnreachable) {
  const saved = savedSession();
  if (saved !== null) await start(saved);
  let session = await ask();
  while (session === undefined) {
    if (saved === null) showUnreachable(true);
    await new Promise((done) => setTimeout(done, RETRY_MS));
    session = await ask();
  }
  if (saved === null) showUnreachable(false);
  if (session === null) leaveToSignIn();
  else if (JSON.stringify(saved) !== JSON.stringify(session)) {
    if (saved !== null && saved.user.id !== session.user.id) clearTabMemory(); // it holds names for another user
    saveSession(session);
    if (saved === null) await start(session);
    else location.reload();
  }
}

const ask = () => currentSession().catch(() => undefined);

/** Go to the sign-in, because the session is over. The next user of this tab must not see the patients' names. */
export function leaveToSignIn() {
  clearTabMemory();
  goToSignIn();
}

/** Sign out and go to the start page. */
export async function endSession() {
  clearTabMemory();
  await signOut().catch(() => {});
  location.assign("/");
}
