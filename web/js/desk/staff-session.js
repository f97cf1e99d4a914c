/**
 * The session and the connection of the screens of the staff. After a reload a screen starts at once with the session and
 * the view that the tab has saved, until the server answers.
 */

import { follow } from "../live/connection.js";
import { currentSession, goToSignIn, refreshSession, signOut } from "../shared/session.js";
import { clearTabMemory, saveSession, saveView, savedSession, savedView } from "./tab-memory.js";

/**
 * @typedef {import("../live/connection.js").Connection} Connection
 * @typedef {import("../shared/session.js").Session} Session
 */

export const RETRY_MS = 3_000;
const SAVE_MS = 3_000;

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

/**
 * Follow a view as a member of staff. The tab saves the last view, for a reload while the server is away, and an expired
 * session is refreshed.
 *
 * @param {string} address  of the live view
 * @param {string | null} name  under which the tab saves it; null: it does not
 * @returns {{connection: Connection, fromTab: boolean}}  `fromTab`: the connection shows a saved view already
 */
export function followAsStaff(address, name) {
  const saved = name === null ? null : savedView(name);
  const connection = follow(address, saved);
  if (name !== null) saveInTab(connection, name);
  connection.addEventListener("state", () => {
    if (connection.refusal === 401) void reconnect(connection);
  });
  return { connection, fromTab: saved !== null };
}

/**
 * Save the view every few seconds while it changes, and when the page goes.
 *
 * @param {Connection} connection
 * @param {string} name
 */
function saveInTab(connection, name) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const save = () => {
    clearTimeout(timer);
    timer = undefined;
    if (connection.view.cells.size > 0 && savedSession() !== null) saveView(name, connection.view, connection.heardAt);
  };
  connection.addEventListener("view", () => (timer ??= setTimeout(save, SAVE_MS)));
  window.addEventListener("pagehide", save);
}

/**
 * Refresh the session that the server refused, or sign in again. Without an answer, try both again later.
 *
 * @param {Connection} connection
 */
async function reconnect(connection) {
  const accepted = await refreshSession().catch(() => null);
  if (accepted === null) setTimeout(() => connection.open(), RETRY_MS);
  else if (accepted) connection.open();
  else leaveToSignIn();
}
