import { find, say } from "../dom.js";
import { speak, t } from "../i18n.js";
import { hinted, signOut, whoAmI } from "../session.js";

await speak();

const session = hinted() ? await whoAmI().catch(() => null) : null;
if (session !== null) {
  say(find("[data-who]"), t("index.signed_in", { name: session.user.username, role: t(`role.${session.user.role}`) }));
  find("[data-signed-in]").hidden = false;
  find("[data-signed-out]").hidden = true;
}

find("[data-sign-out]").addEventListener("click", async () => {
  await signOut().catch(() => {});
  location.reload();
});
