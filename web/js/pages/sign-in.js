import { showReaderSettings } from "../components/reader-settings.js";
import { find, setText } from "../shared/dom.js";
import { hasText, loadLanguage, t } from "../shared/i18n.js";
import { currentSession, destinationAfterSignIn, hasSignedInBefore, homeOf, signIn } from "../shared/session.js";

/**
 * @typedef {import("../shared/session.js").Refusal} Refusal
 * @typedef {import("../shared/session.js").User} User
 */

await loadLanguage();
showReaderSettings(find("[data-tools]"));

const form = /** @type {HTMLFormElement} */ (find("form"));
const button = /** @type {HTMLButtonElement} */ (find("[type=submit]"));
const show = /** @type {HTMLButtonElement} */ (find("[data-show]"));
const username = /** @type {HTMLInputElement} */ (find("[name=username]"));
const password = /** @type {HTMLInputElement} */ (find("[name=password]"));
const formError = find("[data-form-error]");

/** @param {User} user */
const whereTo = ({ role }) => destinationAfterSignIn(new URLSearchParams(location.search).get("next"), location.origin, homeOf(role));

/**
 * Show an error beside its field, or remove it.
 *
 * @param {HTMLInputElement} input
 * @param {string} text
 */
function showError(input, text) {
  setText(find(`#${input.name}-error`), text);
  if (text) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

/**
 * Show all errors: beside their fields, or above them for an error of the whole form.
 *
 * @param {{username?: string, password?: string, form?: string}} wrong
 */
function showErrors(wrong) {
  showError(username, wrong.username ?? "");
  showError(password, wrong.password ?? "");
  setText(formError, wrong.form ?? "");
  document.title = Object.keys(wrong).length ? t("sign_in.title.error") : t("sign_in.title");
}

/** @param {Refusal} refusal */
function reasonOf({ code, details }) {
  if (code === "sign_in_failed") return { password: t("error.sign_in_failed") };
  if (code === "sign_in_locked") return { form: t("sign_in.error.locked", { n: Math.ceil(details.retry_after / 60) }) };
  return { form: hasText(`error.${code}`) ? t(`error.${code}`) : t("error.internal_error") };
}

/** @param {boolean} visible */
function showPassword(visible) {
  password.type = visible ? "text" : "password";
  show.setAttribute("aria-label", visible ? t("sign_in.hide.name") : t("sign_in.show.name"));
  setText(find("span", show), visible ? t("sign_in.hide") : t("sign_in.show"));
}

show.addEventListener("click", () => {
  showPassword(password.type === "password");
  password.focus();
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button.getAttribute("aria-busy") === "true") return;
  const wrong = {
    ...(username.value ? {} : { username: t("sign_in.error.username") }),
    ...(password.value ? {} : { password: t("sign_in.error.password") }),
  };
  showErrors(wrong);
  if (!username.value || !password.value) {
    (username.value ? password : username).focus();
    return;
  }
  showPassword(false); // before sending: a browser saves a password field that is sent as text
  button.setAttribute("aria-busy", "true");
  try {
    const { user, error } = await signIn(username.value, password.value);
    if (user) {
      location.assign(whereTo(user));
      return;
    }
    showErrors(reasonOf(error));
  } catch {
    showErrors({ form: t("error.unreachable") });
  } finally {
    button.removeAttribute("aria-busy");
  }
  password.focus();
  password.select();
});

// Before this line the browser would send the form to an address that accepts none. A disabled button also blocks Enter.
button.disabled = false;
show.disabled = false;

const session = hasSignedInBefore() ? await currentSession().catch(() => null) : null;
if (session !== null) {
  const { user } = session;
  setText(find("[data-who]"), t("sign_in.already", { name: user.username, role: t(`role.${user.role}`) }));
  /** @type {HTMLAnchorElement} */ (find("[data-go-on]")).href = whereTo(user);
  find("[data-already]").hidden = false;
}
