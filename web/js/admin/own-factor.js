import { element } from "../shared/dom.js";
import { t } from "../shared/i18n.js";

/**
 * Return a note for an administrator without a second factor. The note shows by itself, once the server has answered.
 *
 * @param {import("./context.js").Context} context
 */
export function ownFactorNote(context) {
  const way = element("a", { href: "/account" }, t("admin.staff.own_factor.set_up"));
  const note = element("p", { className: "own-factor", hidden: true }, t("admin.staff.own_factor"), " ", way);
  context.ask("/api/v1/session/second-factor").then(
    ({ on }) => {
      note.hidden = on;
    },
    () => {}, // without an answer there is nothing to say
  );
  return note;
}
