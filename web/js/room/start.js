/** The page of a room: it shows one point and its patient, and sends the commands of the person who works there. */

import { showReaderSettings } from "../components/reader-settings.js";
import { KeySettings, pressButtonsByKeys } from "../desk/keyboard.js";
import { Orders } from "../desk/orders.js";
import { endSession, followAsStaff, leaveToSignIn, whenSignedIn } from "../desk/staff-session.js";
import { find, setText } from "../shared/dom.js";
import { addTexts, loadLanguage, loadPart, t } from "../shared/i18n.js";
import { cachePage } from "../shared/offline.js";
import { keepSessionFresh } from "../shared/session.js";
import { RoomActions, connectButtons } from "./actions.js";
import { chosenRoom, forgetRoom, offerRooms } from "./choice.js";
import { startPainting } from "./painting.js";
import { RoomState } from "./state.js";

/**
 * @typedef {import("../shared/session.js").Session} Session
 * @typedef {import("../shared/session.js").Site} Site
 */

const CACHE_MS = 3_000;

/** Start the page, once the session is known. */
export async function startRoom() {
  const trouble = find("[data-trouble]");
  addTexts("room");
  await loadLanguage();
  showReaderSettings(find("[data-tools]"));
  setTimeout(() => void cachePage("/room"), CACHE_MS);
  find("[data-sign-out]").addEventListener("click", () => void endSession());
  find("[data-change]").addEventListener("click", () => {
    forgetRoom();
    location.reload();
  });
  await whenSignedIn(
    (session) => openRoom(session, trouble),
    (unreachable) => setText(trouble, unreachable ? t("error.unreachable") : ""),
  );
}

/**
 * Open the room that this browser remembers, or ask for it.
 *
 * @param {Session} session
 * @param {HTMLElement} trouble  shows why there is no room
 */
async function openRoom({ sites, user }, trouble) {
  setText(find("[data-who]"), user.username);
  if (sites.length === 0) {
    setText(trouble, t("desk.no_site"));
    return;
  }
  keepSessionFresh();
  const chosen = chosenRoom(sites);
  if (chosen === null) await offerRooms(sites, trouble);
  else openConsole(chosen.site, chosen.pointId);
}

/**
 * @param {Site} site
 * @param {number} pointId
 */
function openConsole(site, pointId) {
  const { connection, fromTab } = followAsStaff(`/live/points/${pointId}`, `point:${pointId}`);
  const orders = new Orders(connection, leaveToSignIn);
  const state = new RoomState({ site, pointId, connection, orders });
  find("[data-change]").hidden = false;
  startPainting(state, fromTab);
  const actions = new RoomActions(state);
  const keys = new KeySettings();
  connectButtons(state, actions, keys);
  connectDoubt(state, actions);
  pressButtonsByKeys(keys, (button) => orders.doing && orders.later(() => button.disabled || button.click()));
}

/**
 * The question about a patient from before an outage. It loads with the first doubt.
 *
 * @param {RoomState} state
 * @param {RoomActions} actions
 */
function connectDoubt(state, actions) {
  let asked = false;
  const look = () => {
    if (asked || state.room.guest?.doubt == null) return;
    asked = true;
    Promise.all([import("./doubt.js"), loadPart("doubt")]).then(
      ([{ showDoubt }]) => showDoubt(state, actions),
      () => (asked = false),
    );
  };
  state.addEventListener("change", look);
  look();
}
