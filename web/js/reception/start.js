/** The reception page: it follows one site's desk, and sends the commands of reception. */

import { showReaderSettings } from "../components/reader-settings.js";
import { KeySettings, pressButtonsByKeys } from "../desk/keyboard.js";
import { lazyDialog } from "../desk/lazy-dialog.js";
import { Orders } from "../desk/orders.js";
import { endSession, followAsStaff, leaveToSignIn, whenSignedIn } from "../desk/staff-session.js";
import { element, find, loadStyle, setText } from "../shared/dom.js";
import { loadLanguage, loadPart, t } from "../shared/i18n.js";
import { recall, remember } from "../shared/memory.js";
import { keepSessionFresh } from "../shared/session.js";
import { DeskActions, showMessage } from "./actions.js";
import { connectButtons, hideForbidden, moreMenu, permissionsOf, press } from "./buttons.js";
import { receptionDialogs, showUnreachable } from "./dialogs.js";
import { lazyDay } from "./lazy-day.js";
import { startPainting } from "./painting.js";
import { connectLists } from "./pointer.js";
import { startSearch } from "./search.js";
import { DeskState } from "./state.js";

/**
 * @typedef {import("../shared/session.js").Session} Session
 * @typedef {import("../shared/session.js").Site} Site
 * @typedef {import("../shared/session.js").User} User
 */

/** The name under which this browser remembers the last site. */
const SITE = "site";
/** The pause before a part of the page that did not load is asked for again. */
const AGAIN_MS = 2_000;

/** Start the page, once the session is known. */
export async function startReception() {
  await loadLanguage();
  showReaderSettings(find("[data-tools]"));
  await whenSignedIn(openSite, (unreachable) => (unreachable ? showMessage(t("error.unreachable"), "error") : showMessage("", "done")));
}

/**
 * Open the site that this browser had last, or else the first.
 *
 * @param {Session} session
 */
function openSite(session) {
  const { sites } = session;
  const remembered = Number(recall(SITE));
  const site = sites.find(({ id }) => id === remembered) ?? sites[0];
  if (site === undefined) showMessage(t("desk.no_site"), "error");
  else openDesk(site, session);
}

/**
 * @param {Site} site
 * @param {Session} session
 */
function openDesk(site, { user, sites }) {
  keepSessionFresh();
  const { connection, fromTab } = followAsStaff(`/live/sites/${site.id}/desk`, `site:${site.id}`);
  const orders = new Orders(connection, leaveToSignIn);
  const state = new DeskState({ site, may: permissionsOf(user), connection, orders });
  startPainting(state, fromTab);
  const actions = new DeskActions(state);
  const keys = new KeySettings();
  const day = lazyDay(state, (action) => press(action, parts));
  const dialogs = receptionDialogs(state, actions, keys, day);
  const search = startSearch(state, actions);
  const parts = { state, actions, dialogs, search, day };
  connectButtons(parts);
  hideForbidden(document, state.may);
  moreMenu(/** @type {HTMLButtonElement} */ (find('[data-action="more"]')), find("[data-more]"));
  connectLists({ state, actions, dialogs });
  pressButtonsByKeys(keys, (button) => orders.doing && orders.later(() => button.disabled || button.click()));
  // Not before the first paint: kiosks are few, and requests for help are rare.
  const loadHelpCalls = () =>
    void Promise.all([import("./help-calls.js"), loadStyle("help-calls")]).then(
      ([{ showHelpCalls }]) => showHelpCalls(state, ({ id, name }) => void actions.run("answer-help", { kiosk_id: id, name: user.username }, { name })),
      () => setTimeout(loadHelpCalls, AGAIN_MS),
    );
  loadHelpCalls();
  connectDelay(state, actions);
  connectDoubts(state, actions);
  showHeader({ state, sites, user });
}

/**
 * The button that announces a delay of the clinic, if the clinic sends messages. Its dialog, and the section of an announced
 * delay, load when they are needed.
 *
 * @param {DeskState} state
 * @param {DeskActions} actions
 */
function connectDelay(state, actions) {
  const button = find("[data-open-delay]");
  const delay = lazyDialog(async () => {
    const [{ startDelay }] = await Promise.all([import("./delay.js"), loadPart("delay")]);
    return startDelay(state, actions);
  }, showUnreachable);
  const show = () => {
    const { late, sends_messages: sends } = state.desk.site ?? { late: null, sends_messages: false };
    button.hidden = !sends || !state.may("announce-delay");
    if (late !== null && !button.hidden) delay.load().catch(() => {}); // the next change tries again
  };
  button.addEventListener("click", () => void delay.open());
  state.addEventListener("change", show);
  show();
}

/**
 * The questions about calls from before an outage. They load with the first doubt.
 *
 * @param {DeskState} state
 * @param {DeskActions} actions
 */
function connectDoubts(state, actions) {
  let asked = !state.may("confirm");
  const look = () => {
    if (asked || ![...state.desk.entries.values()].some(({ doubt }) => doubt)) return;
    asked = true;
    Promise.all([import("./doubts.js"), loadPart("doubt"), loadStyle("doubts")]).then(
      ([{ showDoubts }]) => showDoubts(state, actions),
      () => (asked = false),
    );
  };
  state.addEventListener("change", look);
  look();
}

/**
 * Show the site and the user in the page's head, with a choice of sites and the sign-out.
 *
 * @param {{state: DeskState, sites: Site[], user: User}} parts
 */
function showHeader({ state: { connection, site }, sites, user }) {
  const select = /** @type {HTMLSelectElement} */ (find("[data-site-select]"));
  select.replaceChildren(...sites.map(({ id, name }) => element("option", { value: String(id) }, name)));
  select.value = String(site.id);
  select.addEventListener("change", () => {
    remember(SITE, select.value);
    location.reload();
  });
  find(".site-choice").hidden = sites.length < 2;
  setText(find("[data-site]"), sites.length < 2 ? site.name : "");
  setText(find("[data-who]"), user.username);
  find("[data-sign-out]").addEventListener("click", () => {
    connection.close();
    void endSession();
  });
}
