/** The invitation of a colleague, and the dialog that shows a new link. */

import { errorMessage } from "../desk/error-messages.js";
import { element, setText } from "../shared/dom.js";
import { formatDay, formatTime, t } from "../shared/i18n.js";
import { shown } from "./dialog.js";
import { showOnce } from "./secrets.js";

/**
 * @typedef {import("./context.js").Context} Context
 * @typedef {{id: number, kind: "invitation" | "reset", username: string | null, role: string, expires_at: number, address: string,
 *   qr_code: string}} Link
 */

const ROLES = ["receptionist", "clinician", "manager", "admin"];

/**
 * Ask for the role and the user name of a colleague, and make the invitation. Returns its link, or null if the user gave up.
 *
 * @param {Context} context
 * @returns {Promise<Link | null>}
 */
export function inviteColleague(context) {
  const name = element("input", { id: "invite-name", maxLength: 80, autocomplete: "off", autocapitalize: "none", spellcheck: false, "aria-describedby": "invite-hint invite-error" });
  const error = element("p", { className: "field-error", id: "invite-error", role: "alert" });
  const submit = element("button", { className: "button is-primary", type: "submit" }, t("admin.staff.invite.submit"));
  const cancel = element("button", { className: "button", type: "button" }, t("dialog.cancel"));
  const form = element(
    "form",
    { method: "dialog" },
    element("h2", { id: "invite-title" }, t("admin.staff.invite")),
    element("p", { className: "dialog-lead" }, t("admin.staff.invite.lead")),
    roleChoice("receptionist"),
    element(
      "div",
      { className: "field" },
      element("label", { htmlFor: "invite-name" }, t("admin.staff.invite.name")),
      name,
      element("p", { className: "field-hint", id: "invite-hint" }, t("admin.staff.invite.name.hint")),
      error,
    ),
    element("div", { className: "dialog-actions" }, cancel, submit),
  );
  const dialog = shown("invite", form);
  return new Promise((resolve) => {
    /** @type {Link | null} */
    let made = null;
    cancel.addEventListener("click", () => dialog.close());
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (submit.getAttribute("aria-busy") === "true") return;
      submit.setAttribute("aria-busy", "true");
      const username = name.value.trim();
      const role = new FormData(form).get("role");
      try {
        made = await context.ask("/api/v1/invitations", { method: "POST", body: { role, ...(username ? { username } : {}) } });
        dialog.close();
      } catch (refusal) {
        setText(error, errorMessage(refusal));
        name.setAttribute("aria-invalid", "true");
        name.focus();
      }
      submit.removeAttribute("aria-busy");
    });
    dialog.addEventListener("close", () => resolve(made));
  });
}

/**
 * Return a choice of roles, each with what it may do.
 *
 * @param {string} chosen
 */
export function roleChoice(chosen) {
  const choices = ROLES.map((role) =>
    element(
      "label",
      { className: "choice role-choice" },
      element("input", { type: "radio", name: "role", value: role, checked: role === chosen }),
      element("span", {}, element("strong", {}, t(`role.${role}`)), element("span", {}, t(`admin.staff.role.${role}.hint`))),
    ),
  );
  return element("fieldset", { className: "choices" }, element("legend", {}, t("admin.staff.role")), element("div", { className: "choice-list is-column" }, ...choices));
}

/**
 * Show a new link, once: as a text to copy, and as a code for the colleague's phone.
 *
 * @param {Link} link
 * @param {Context} context
 */
export function showLink({ kind, username, expires_at, address, qr_code }, context) {
  const until = t("admin.staff.link.until", { day: formatDay(expires_at, context.zone), time: formatTime(expires_at, context.zone) });
  return showOnce("link", address, {
    title: kind === "reset" ? t("admin.staff.link.reset", { name: username ?? "" }) : t("admin.staff.link.invitation"),
    lead: t("admin.staff.link.lead"),
    label: t("admin.staff.link.address"),
    copy: t("admin.staff.copy"),
    copied: t("admin.staff.copied"),
    before: [element("img", { className: "link-code", src: qr_code, alt: t("admin.staff.link.alt"), width: 180, height: 180 })],
    after: [element("p", { className: "staff-details" }, until, ...(kind === "reset" ? [" ", t("admin.staff.link.reset.more")] : []))],
  });
}
