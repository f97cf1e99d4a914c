/** The dialog with everything that an administrator can change of a member of staff. */

import { element, find } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { shown } from "./dialog.js";
import { roleChoice } from "./staff-links.js";

/**
 * @typedef {import("./staff.js").Member} Member
 *
 * @typedef {object} Change  a wish of the administrator
 * @property {"reset" | "change"} kind
 * @property {boolean} sessionsEnd  whether the member's sessions end: the page then lists them and asks
 * @property {string} title   of the question
 * @property {string} yes     the text of the button that confirms
 * @property {string} path    below the member's address
 * @property {string} method
 * @property {object} [body]
 * @property {string} said    the text of the toast
 * @property {object | null} undo  the body of the inverse change
 */

/**
 * Show a member, and return what the administrator wants to change; null for nothing.
 *
 * @param {Member} member
 * @param {number} ownId  the id of the administrator
 * @returns {Promise<Change | null>}
 */
export function openMember(member, ownId) {
  const { username: name, role, active, second_factor: factor } = member;
  /** @type {Change | null} */
  let wanted = null;
  const own = member.id === ownId;
  const roles = roleChoice(role);
  // Not at once: the arrow keys pass through the roles.
  const changeRole = element("button", { className: "button", type: "button", disabled: true }, t("admin.staff.role.change"));
  const close = element("button", { className: "button", type: "button" }, t("admin.close"));
  /** @type {(readonly [key: string, change: Partial<Change>])[]} */
  const changes = [
    ...(active && !own ? /** @type {const} */ ([["reset", { kind: "reset" }]]) : []),
    ...(active && !own ? /** @type {const} */ ([["end", { path: "/sessions", method: "DELETE", said: t("admin.staff.ended", { name }) }]]) : []),
    ...(factor && !own ? /** @type {const} */ ([["remove_factor", { path: "/second-factor", method: "DELETE", said: t("admin.staff.removed_factor", { name }) }]]) : []),
    ...(active
      ? /** @type {const} */ ([["off", { body: { active: false }, said: t("admin.staff.offed", { name }), undo: { active: true } }]])
      : /** @type {const} */ ([["on", { sessionsEnd: false, body: { active: true }, said: t("admin.staff.oned", { name }), undo: { active: false } }]])),
  ];
  const dialog = shown(
    "member",
    element(
      "div",
      { className: "dialog-body" },
      element("h2", { id: "member-title" }, name),
      roles,
      element("p", {}, changeRole),
      element("ul", { className: "staff-changes" }, ...changes.map(([key, change]) => changeRow(key, change))),
      ...(own ? [element("p", { className: "staff-details" }, t("admin.staff.own"), " ", element("a", { href: "/account" }, t("admin.account")))] : []),
      element("div", { className: "dialog-actions" }, close),
    ),
  );

  function chosenRole() {
    return /** @type {HTMLInputElement} */ (find("input:checked", roles)).value;
  }

  /** @param {string} key @param {Partial<Change>} change */
  function changeRow(key, change) {
    const button = element("button", { className: "button", type: "button" }, t(`admin.staff.${key}`));
    button.dataset.change = key;
    button.addEventListener("click", () => want(key, change));
    return element("li", {}, button, element("span", { className: "staff-details" }, t(`admin.staff.${key}.hint`)));
  }

  /** @param {string} key @param {Partial<Change>} change */
  function want(key, change) {
    const ask = { title: t(`admin.staff.${key}.ask`, { name }), yes: t(`admin.staff.${key}`) };
    wanted = { kind: "change", sessionsEnd: true, path: "", method: "PATCH", said: "", undo: null, ...ask, ...change };
    dialog.close();
  }

  roles.addEventListener("change", () => {
    changeRole.disabled = chosenRole() === role;
  });
  changeRole.addEventListener("click", () => {
    const chosen = chosenRole();
    const said = t("admin.staff.role.said", { name, role: t(`role.${chosen}`) });
    want("role", { body: { role: chosen }, said, undo: { role }, yes: t("admin.confirm.yes") });
  });
  close.addEventListener("click", () => dialog.close());
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(wanted));
  });
}
