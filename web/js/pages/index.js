import { showReaderSettings } from "../components/reader-settings.js";
import { find, setText } from "../shared/dom.js";
import { addTexts, loadLanguage, t } from "../shared/i18n.js";
import { currentSession, hasSignedInBefore, homeOf, signOut } from "../shared/session.js";

addTexts("index");
await loadLanguage();
showReaderSettings(find("[data-tools]"));

const session = hasSignedInBefore() ? await currentSession().catch(() => null) : null;
if (session !== null) {
  const { username, role } = session.user;
  const home = /** @type {HTMLAnchorElement} */ (find("[data-home]"));
  setText(find("[data-who]"), t("index.signed_in", { name: username, role: t(`role.${role}`) }));
  home.href = homeOf(role);
  setText(home, t(`index.go.${homeOf(role).slice(1)}`));
  find("[data-signed-in]").hidden = false;
  find("[data-signed-out]").hidden = true;
}

find("[data-sign-out]").addEventListener("click", async () => {
  await signOut().catch(() => {});
  location.reload();
});
