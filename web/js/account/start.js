/** The page of a member of staff: the own second factor, sessions and password. */

import { showReaderSettings } from "../components/reader-settings.js";
import { find, setText } from "../shared/dom.js";
import { addTexts, loadLanguage, t } from "../shared/i18n.js";
import { currentSession, goToSignIn, homeOf, keepSessionFresh } from "../shared/session.js";
import { connectPasswordForm } from "./password-form.js";
import { connectSecondFactor } from "./second-factor.js";
import { connectSessions } from "./sessions.js";

/** Start the page, once the session is known. */
export async function startAccount() {
  addTexts("account");
  await loadLanguage();
  showReaderSettings(find("[data-tools]"));
  const trouble = find("[data-trouble]");
  try {
    const session = await currentSession();
    if (session === null) {
      goToSignIn();
      return;
    }
    keepSessionFresh();
    const { user } = session;
    setText(find("[data-who]"), t("account.who", { name: user.username, role: t(`role.${user.role}`) }));
    /** @type {HTMLAnchorElement} */ (find("[data-home]")).href = homeOf(user.role);
    find("[data-back]").hidden = false;
    const sessions = connectSessions();
    await Promise.all([connectSecondFactor(user, sessions.show), sessions.show()]);
    connectPasswordForm(user, sessions.show);
    find("[data-parts]").hidden = false;
  } catch {
    setText(trouble, t("error.unreachable"));
  }
}
