import { follow } from "../live/connection.js";
import { refreshSession } from "../shared/session.js";
import { leaveToSignIn } from "./staff-session.js";
import { saveView, savedSession, savedView } from "./tab-memory.js";

/** @typedef {import("../live/connection.js").Connection} Connection */

const SAVE_MS = 3_000;

/**
 * Follow a view as a member of staff. The tab saves the last view, for a reload while the server is away, and an expired
 * session is refreshed.
 *
 * @param {string} address  of the live view
 * @param {string} name     under which the tab saves it
 * @returns {{connection: Connection, fromTab: boolean}}  `fromTab`: the connection shows a saved view already
 */
export function followAsStaff(address, name) {
  const saved = savedView(name);
  const connection = follow(address, saved);
  saveInTab(connection, name);
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
 * Refresh the session that the server refused, or sign in again.
 *
 * @param {Connection} connection
 */
async function reconnect(connection) {
  if (await refreshSession().catch(() => false)) connection.open();
  else leaveToSignIn();
}
