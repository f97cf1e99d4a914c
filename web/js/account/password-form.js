/** The change of the user's own password. */

import { showFieldError } from "../components/field-error.js";
import { connectPasswordField } from "../components/password-field.js";
import { showStrength } from "../components/password-strength.js";
import { find, setText } from "../shared/dom.js";
import { hasText, t } from "../shared/i18n.js";
import { ask } from "./requests.js";

const ADDRESS = "/api/v1/session/password";

/**
 * @param {import("../shared/session.js").User} user
 * @param {() => Promise<void>} showSessions  called after the change, which ends the other sessions
 */
export function connectPasswordForm(user, showSessions) {
  const form = /** @type {HTMLFormElement} */ (find("[data-password-form]"));
  const button = find("[type=submit]", form);
  const old = /** @type {HTMLInputElement} */ (find("[name=old_password]"));
  const fresh = /** @type {HTMLInputElement} */ (find("[name=new_password]"));
  const done = find("[data-password-done]");
  for (const each of document.querySelectorAll("[name=username]")) {
    /** @type {HTMLInputElement} */ (each).value = user.username; // for the browser's password manager
  }
  const hides = [connectPasswordField(find("[data-old]")), connectPasswordField(find("[data-new]"))];
  showStrength(fresh, find("[data-strength]", form), `${ADDRESS}/strength`);

  /** @param {{old?: string, fresh?: string, form?: string}} wrong */
  const showErrors = (wrong) => {
    showFieldError(old, wrong.old ?? "");
    showFieldError(fresh, wrong.fresh ?? "");
    setText(find("[data-form-error]", form), wrong.form ?? "");
    (wrong.old ? old : wrong.fresh ? fresh : null)?.focus();
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-busy") === "true") return;
    setText(done, "");
    const short = fresh.value.length < 12;
    showErrors({
      ...(old.value ? {} : { old: t("account.error.old") }),
      ...(short ? { fresh: t("error.password_length_wrong", { least: 12, most: 200 }) } : {}),
    });
    if (!old.value || short) return;
    for (const hide of hides) hide();
    button.setAttribute("aria-busy", "true");
    try {
      const { error } = await ask(ADDRESS, { method: "POST", body: { old_password: old.value, new_password: fresh.value } });
      if (error === undefined) {
        form.reset();
        fresh.dispatchEvent(new Event("input"));
        setText(done, t("account.password.done"));
        await showSessions();
      } else showErrors(reasonOf(error));
    } catch {
      showErrors({ form: t("error.unreachable") });
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
}

/** @param {import("../shared/session.js").Refusal} refusal */
function reasonOf({ code, details }) {
  if (code === "wrong_password") return { old: t("account.error.wrong_password") };
  if (code === "sign_in_locked") return { form: t("sign_in.error.locked", { n: Math.ceil(details.retry_after / 60) }) };
  const text = hasText(`error.${code}`) ? t(`error.${code}`, details) : t("error.internal_error");
  return code.startsWith("password_") ? { fresh: text } : { form: text };
}
