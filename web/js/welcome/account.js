/** The first step: the administrator's account, with the code that the server's terminal shows. */

import { showFieldError } from "../components/field-error.js";
import { connectPasswordField } from "../components/password-field.js";
import { find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { remember } from "../shared/memory.js";
import { ask } from "../shared/staff-requests.js";
import { isLikeName, strengthOf } from "./password-strength.js";
import { onSubmit, textOf } from "./forms.js";

const LEAST_CHARACTERS = 12;
/** The fields of the refusals that belong to one. */
const FIELD_OF = new Map([
  ["setup_code_missing", "code"],
  ["setup_code_wrong", "code"],
  ["setup_code_ended", "code"],
  ["user_name_not_visible", "username"],
  ["user_name_mixes_scripts", "username"],
  ["name_taken", "username"],
  ["password_length_wrong", "password"],
  ["password_like_user_name", "password"],
  ["password_too_common", "password"],
]);

/** @param {() => void} done  called when the administrator is signed in */
export function startAccount(done) {
  const form = /** @type {HTMLFormElement} */ (find("form[data-account]"));
  /** @param {string} name */
  const input = (name) => /** @type {HTMLInputElement} */ (find(`[name=${name}]`, form));
  const [code, username, password] = /** @type {const} */ ([input("code"), input("username"), input("password")]);

  // The printed address has the code behind its #, where no server and no log sees it. A reload finds it again.
  const printed = new URLSearchParams(location.hash.slice(1)).get("code") ?? "";
  code.value = printed;
  find("[data-code-field]", form).hidden = printed !== "";

  const hidePassword = connectPasswordField(find(".password", form));

  const judge = () => {
    const strength = strengthOf(password.value, username.value);
    find("[data-strength]", form).dataset.score = String(strength);
    const kept = {
      length: password.value.length >= LEAST_CHARACTERS,
      name: password.value !== "" && !isLikeName(password.value, username.value),
      words: strength >= 3,
    };
    for (const [rule, isKept] of Object.entries(kept)) find(`[data-rule=${rule}]`, form).classList.toggle("is-kept", isKept);
  };
  for (const each of [code, username, password]) {
    each.addEventListener("input", () => {
      showFieldError(each, ""); // the error was about another text
      judge();
    });
  }
  judge();

  /** @param {Record<string, string>} wrong  texts by the name of their field */
  const showErrors = (wrong) => {
    for (const each of [code, username, password]) showFieldError(each, wrong[each.name] ?? "");
    if (wrong.code) find("[data-code-field]", form).hidden = false;
    [code, username, password].find(({ name }) => wrong[name])?.focus();
  };

  onSubmit(form, async () => {
    const wrong = {
      ...(code.value.trim() ? {} : { code: t("error.setup_code_missing") }),
      ...(username.value.trim() ? {} : { username: t("sign_in.error.username") }),
      ...(password.value ? {} : { password: t("sign_in.error.password") }),
    };
    showErrors(wrong);
    if (Object.keys(wrong).length > 0) return;
    if (password.value.length < LEAST_CHARACTERS) {
      showErrors({ password: t("error.password_length_wrong", { least: LEAST_CHARACTERS, most: 200 }) });
      return;
    }
    hidePassword(); // before sending: a browser saves a password field that is sent as text
    const body = { code: code.value, username: username.value, password: password.value };
    const { error } = await ask("/api/v1/setup", { method: "POST", body });
    if (error === undefined) {
      remember("signed-in", "1");
      history.replaceState(null, "", location.pathname + location.search); // the code has had its use
      done();
    } else if (error.code === "setup_closed") location.replace("/sign-in?next=%2Fwelcome");
    else {
      const field = FIELD_OF.get(error.code);
      if (field === undefined) setText(find("[data-form-error]", form), textOf(error));
      else showErrors({ [field]: textOf(error) });
    }
  });
}
