import { showTools } from "../components/page-tools.js";
import { find, say } from "../shared/dom.js";
import { speak, t } from "../shared/i18n.js";
import { hinted, homeOf, signOut, whoAmI } from "../shared/session.js";

await speak();
showTools(find("[data-tools]"));

const session = hinted() ? await whoAmI().catch(() => null) : null;
if (session !== null) {
  const { username, role } = session.user;
  const home = /** @type {HTMLAnchorElement} */ (find("[data-home]"));
  say(find("[data-who]"), t("index.signed_in", { name: username, role: t(`role.${role}`) }));
  home.href = homeOf(role);
  say(home, homeOf(role) === "/room" ? t("index.go.room") : t("index.go.reception"));
  find("[data-signed-in]").hidden = false;
  find("[data-signed-out]").hidden = true;
}

find("[data-sign-out]").addEventListener("click", async () => {
  await signOut().catch(() => {});
  location.reload();
});
