import { find, say } from "../dom.js";
import { has, speak, t } from "../i18n.js";
import { destination, signIn } from "../session.js";

await speak();

const form = /** @type {HTMLFormElement} */ (find("form"));
const button = /** @type {HTMLButtonElement} */ (find("[type=submit]"));
const username = /** @type {HTMLInputElement} */ (find("[name=username]"));
const password = /** @type {HTMLInputElement} */ (find("[name=password]"));

/**
 * Show what is wrong beside its field, or nothing.
 *
 * @param {HTMLInputElement} input
 * @param {string} text
 */
function showError(input, text) {
  say(find(`#${input.name}-error`), text);
  if (text) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button.getAttribute("aria-busy") === "true") return;
  showError(username, username.value ? "" : t("sign_in.error.username"));
  showError(password, password.value ? "" : t("sign_in.error.password"));
  const wrong = [username, password].find((input) => !input.value);
  if (wrong) {
    wrong.focus();
    return;
  }
  button.setAttribute("aria-busy", "true");
  try {
    const code = await signIn(username.value, password.value);
    if (code === null) {
      location.assign(destination(new URLSearchParams(location.search).get("next"), location.origin));
      return;
    }
    showError(password, has(`error.${code}`) ? t(`error.${code}`) : t("error.internal_error"));
  } catch {
    showError(password, t("error.unreachable"));
  } finally {
    button.removeAttribute("aria-busy");
  }
  password.select();
});

// Until here the browser itself would have sent the form, to an address that takes none. A disabled button also holds Enter.
button.disabled = false;
