import { showFieldError } from "../components/field-error.js";
import { connectPasswordField } from "../components/password-field.js";
import { showReaderSettings } from "../components/reader-settings.js";
import { find, setText } from "../shared/dom.js";
import { hasText, loadLanguage, t } from "../shared/i18n.js";
import { currentSession, destinationAfterSignIn, hasSignedInBefore, homeOf, sendCode, signIn } from "../shared/session.js";

/**
 * @typedef {import("../shared/session.js").Refusal} Refusal
 * @typedef {import("../shared/session.js").User} User
 */

await loadLanguage();
showReaderSettings(find("[data-tools]"));

const form = /** @type {HTMLFormElement} */ (find("[data-password-form]"));
const button = /** @type {HTMLButtonElement} */ (find("[type=submit]", form));
const username = /** @type {HTMLInputElement} */ (find("[name=username]"));
const password = /** @type {HTMLInputElement} */ (find("[name=password]"));
const codeForm = /** @type {HTMLFormElement} */ (find("[data-code-form]"));
const codeButton = /** @type {HTMLButtonElement} */ (find("[data-code-submit]"));
const code = /** @type {HTMLInputElement} */ (find("[name=code]"));
let recovering = false;

/** @param {User} user */
const whereTo = ({ role }) => destinationAfterSignIn(new URLSearchParams(location.search).get("next"), location.origin, homeOf(role));

/**
 * Show all errors: beside their fields, or above them for an error of the whole form.
 *
 * @param {{username?: string, password?: string, code?: string, form?: string}} wrong
 */
function showErrors(wrong) {
  showFieldError(username, wrong.username ?? "");
  showFieldError(password, wrong.password ?? "");
  showFieldError(code, wrong.code ?? "");
  setText(find("[data-form-error]"), codeForm.hidden ? (wrong.form ?? "") : "");
  setText(find("[data-code-form-error]"), codeForm.hidden ? "" : (wrong.form ?? ""));
  document.title = Object.keys(wrong).length ? t("sign_in.title.error") : t("sign_in.title");
}

/** @param {Refusal} refusal */
function reasonOf({ code: reason, details }) {
  if (reason === "sign_in_failed") return { password: t("error.sign_in_failed") };
  if (reason === "second_factor_failed") return { code: t(recovering ? "sign_in.error.recovery" : "error.second_factor_failed") };
  if (reason === "sign_in_locked") {
    const key = codeForm.hidden ? "sign_in.error.locked" : "sign_in.error.locked.code";
    return { form: t(key, { n: Math.ceil(details.retry_after / 60) }) };
  }
  return { form: hasText(`error.${reason}`) ? t(`error.${reason}`) : t("error.internal_error") };
}

/**
 * Show the first step or the second.
 *
 * @param {boolean} second
 */
function showStep(second) {
  form.hidden = second;
  codeForm.hidden = !second;
  // Only the step that is shown can be sent.
  button.type = second ? "button" : "submit";
  codeButton.type = second ? "submit" : "button";
  find("[data-forgotten]").hidden = second;
  find("[data-already]").hidden = true;
  setText(find("[data-title]"), t(second ? "sign_in.code.title" : "sign_in.title"));
  setText(find("[data-lead]"), t(second ? "sign_in.code.lead" : "sign_in.lead"));
  showErrors({});
  if (second) showKind(false);
  else password.focus();
}

/**
 * Ask for a code of the app, or for a recovery code.
 *
 * @param {boolean} recovery
 */
function showKind(recovery) {
  recovering = recovery;
  setText(find("[data-code-label]"), t(recovery ? "sign_in.recovery" : "sign_in.code"));
  setText(find("[data-code-hint]"), t(recovery ? "sign_in.recovery.hint" : "sign_in.code.hint"));
  setText(find("[data-other-kind]"), t(recovery ? "sign_in.use_app" : "sign_in.use_recovery"));
  code.inputMode = recovery ? "text" : "numeric";
  code.autocomplete = recovery ? "off" : "one-time-code";
  code.value = "";
  showErrors({});
  code.focus();
}

/**
 * Send a form once, and show its errors.
 *
 * @param {HTMLButtonElement} submit
 * @param {HTMLInputElement} field  gets the focus after a refusal
 * @param {() => ReturnType<typeof signIn>} send
 */
async function sendOnce(submit, field, send) {
  if (submit.getAttribute("aria-busy") === "true") return;
  submit.setAttribute("aria-busy", "true");
  try {
    const { user, codeNeeded, error } = await send();
    if (user) {
      location.assign(whereTo(user));
      return;
    }
    if (codeNeeded) {
      showStep(true);
      return;
    }
    if (error.code === "sign_in_expired") showStep(false);
    showErrors(reasonOf(error));
  } catch {
    showErrors({ form: t("error.unreachable") });
  } finally {
    submit.removeAttribute("aria-busy");
  }
  field.focus();
  field.select();
}

const hidePassword = connectPasswordField(find(".password", form));

form.addEventListener("submit", (event) => {
  event.preventDefault();
  showErrors({
    ...(username.value ? {} : { username: t("sign_in.error.username") }),
    ...(password.value ? {} : { password: t("sign_in.error.password") }),
  });
  if (!username.value || !password.value) {
    (username.value ? password : username).focus();
    return;
  }
  hidePassword();
  void sendOnce(button, password, () => signIn(username.value, password.value));
});

codeForm.addEventListener("submit", (event) => {
  event.preventDefault();
  showErrors(code.value.trim() ? {} : { code: t("sign_in.error.code") });
  if (code.value.trim()) void sendOnce(codeButton, code, () => sendCode(code.value));
  else code.focus();
});

find("[data-other-kind]").addEventListener("click", () => showKind(!recovering));
find("[data-start-over]").addEventListener("click", () => {
  password.value = "";
  showStep(false);
});

// Before this line the browser would send the form to an address that accepts none. A disabled button also blocks Enter.
button.disabled = false;

// A reset link leads to the second step when its member has a second factor.
if (new URLSearchParams(location.search).get("step") === "code") {
  showStep(true);
} else {
  // The attribute `autofocus` would come too late for the second step, which has the focus already.
  if (document.activeElement === document.body) username.focus();
  const session = hasSignedInBefore() ? await currentSession().catch(() => null) : null;
  if (session !== null && codeForm.hidden) {
    const { user } = session;
    setText(find("[data-who]"), t("sign_in.already", { name: user.username, role: t(`role.${user.role}`) }));
    /** @type {HTMLAnchorElement} */ (find("[data-go-on]")).href = whereTo(user);
    find("[data-already]").hidden = false;
  }
}
