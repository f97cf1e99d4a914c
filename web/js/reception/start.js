/** The reception page: it follows one site's desk, and sends the commands of reception. */

import { showReaderSettings } from "../components/reader-settings.js";
import { KeySettings, pressButtonsByKeys } from "../desk/keyboard.js";
import { Orders } from "../desk/orders.js";
import { followAsStaff, leaveToSignIn, whenSignedIn } from "../desk/staff-session.js";
import { find } from "../shared/dom.js";
import { loadLanguage, t } from "../shared/i18n.js";
import { recall } from "../shared/memory.js";
import { keepSessionFresh } from "../shared/session.js";
import { DeskActions, showMessage } from "./actions.js";
import { connectButtons } from "./buttons.js";
import { receptionDialogs } from "./dialogs.js";
import { SITE, showHeader } from "./header.js";
import { moreMenu } from "./more-menu.js";
import { startPainting } from "./painting.js";
import { hideForbidden, permissionsOf } from "./permissions.js";
import { connectLists } from "./pointer.js";
import { startSearch } from "./search.js";
import { DeskState } from "./state.js";

/**
 * @typedef {import("../shared/session.js").Session} Session
 * @typedef {import("../shared/session.js").Site} Site
 */

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
  const dialogs = receptionDialogs(state, actions, keys);
  const search = startSearch(state, actions);
  connectButtons({ state, actions, dialogs, search });
  hideForbidden(document, state.may);
  moreMenu(/** @type {HTMLButtonElement} */ (find('[data-action="more"]')), find("[data-more]"));
  connectLists({ state, actions, dialogs });
  pressButtonsByKeys(keys, (button) => orders.doing && orders.later(() => button.disabled || button.click()));
  showHeader({ state, sites, user });
}
