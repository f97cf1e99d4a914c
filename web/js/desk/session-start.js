/** Who is at a desk or in a room: whom this tab knew last, until the server says who is signed in. */

import { currentSession, goToSignIn } from "../shared/session.js";
import { clearTabMemory, saveSession, savedSession } from "./tab-memory.js";

/** @typedef {import("../shared/session.js").Session} Session */

export const RETRY_MS = 3_000;

/**
 * Welcome whom this tab knew last, if anybody; ask the server who is signed in, for as long as it does not answer; and
 * welcome who that is. Nobody: go and sign in.
 *
 * @param {(session: Session) => unknown} welcome  called once
 * @param {(away: boolean) => void} tell  whether there is nothing to show, for the server cannot be reached
 */
export async function whenSignedIn(welcome, tell) {
  const kept = savedSession();
  if (kept !== null) await welcome(kept);
  let session = await ask();
  while (session === undefined) {
    if (kept === null) tell(true);
    await new Promise((done) => setTimeout(done, RETRY_MS));
    session = await ask();
  }
  if (kept === null) tell(false);
  if (session === null) leaveToSignIn();
  else if (JSON.stringify(kept) !== JSON.stringify(session)) {
    if (kept !== null && kept.user.id !== session.user.id) clearTabMemory(); // somebody else's names
    saveSession(session);
    if (kept === null) await welcome(session);
    else location.reload();
  }
}

const ask = () => currentSession().catch(() => undefined);

/** Nobody is signed in any more, and names are not for whoever comes next. */
export function leaveToSignIn() {
  clearTabMemory();
  goToSignIn();
}
