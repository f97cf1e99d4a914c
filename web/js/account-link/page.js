/** The page of a link with which a person sets a password: an invitation, or a reset of a forgotten password. */

import { showFieldError } from "../components/field-error.js";
import { connectPasswordField } from "../components/password-field.js";
import { showStrength } from "../components/password-strength.js";
import { showReaderSettings } from "../components/reader-settings.js";
import { find, setText } from "../shared/dom.js";
import { addTexts, formatDay, formatTime, hasText, loadLanguage, t } from "../shared/i18n.js";
import { post, refusalOf } from "../shared/request.js";
import { homeOf, outcomeOf } from "../shared/session.js";

/** @typedef {{kind: "invitation" | "reset", organisation: string, username: string | null, role: string, expires_at: number}} Link */

const ADDRESS = "/api/v1/account-links";
const USER_NAME_ERRORS = new Set(["name_taken", "user_name_not_visible", "user_name_mixes_scripts"]);

const page = find("main");
const form = find("form");
const button = /** @type {HTMLButtonElement} */ (find("[data-submit]"));
const username = /** @type {HTMLInputElement} */ (find("[name=username]"));
const password = /** @type {HTMLInputElement} */ (find("[name=password]"));
// The part of an address behind `#` stays in the browser. It stays in the address too: a reload still works.
const secret = location.hash.slice(1);

/** @param {string} state @param {string} title @param {string} lead */
function show(state, title, lead) {
  page.dataset.state = state;
  setText(find("[data-title]"), title);
  setText(find("[data-lead]"), lead);
  document.title = title;
  form.hidden = state !== "open";
  find("[data-way-out]").hidden = state !== "ended" && state !== "unreachable";
  find("[data-again]").hidden = state !== "unreachable";
  find("[data-expiry]").hidden = state !== "open";
}

const showEnded = () => show("ended", t("link.ended"), t("link.ended.lead"));

/** Ask the server what the link is for, and show it. */
async function openLink() {
  show("loading", t("link.title"), t("link.loading"));
  try {
    const answer = secret === "" ? null : await post(`${ADDRESS}/open`, { secret });
    if (answer === null || (!answer.ok && refusalOf(answer) === "link_not_found") || answer.status === 422) showEnded();
    else if (answer.ok) showLink(await answer.json());
    else throw new Error(`the link answered ${answer.status}`);
  } catch {
    show("unreachable", t("link.title"), t("error.unreachable"));
  }
}

/** @param {Link} link */
function showLink({ kind, organisation, username: name, role, expires_at }) {
  const invited = kind === "invitation";
  const lead = invited ? t("link.invitation.lead", { organisation, role: t(`role.${role}`) }) : t("link.reset.lead", { organisation });
  show("open", invited ? t("link.invitation") : t("link.reset"), lead);
  username.value = name ?? username.value;
  username.readOnly = name !== null;
  setText(find("[data-username-hint]"), name === null ? t("link.username.hint") : "");
  setText(button, invited ? t("link.invitation.submit") : t("link.reset.submit"));
  setText(find("[data-expiry]"), t("link.expiry", { day: formatDay(expires_at), time: formatTime(expires_at) }));
  (name === null ? username : password).focus();
}

/** @param {{username?: string, password?: string, form?: string}} wrong */
function showErrors(wrong) {
  showFieldError(username, wrong.username ?? "");
  showFieldError(password, wrong.password ?? "");
  setText(find("[data-form-error]"), wrong.form ?? "");
  const first = wrong.username ? username : wrong.password ? password : null;
  first?.focus();
}

/** @param {import("../shared/session.js").Refusal} refusal */
function reasonOf({ code, details }) {
  if (code === "name_taken") return { username: t(username.readOnly ? "link.error.name_taken" : "link.error.choose_another") };
  const text = hasText(`error.${code}`) ? t(`error.${code}`, details) : t("error.internal_error");
  if (USER_NAME_ERRORS.has(code)) return { username: text };
  return code.startsWith("password_") ? { password: text } : { form: text };
}

/** Start the page: ask what its link is for. */
export async function startAccountLink() {
  addTexts("account-link");
  await loadLanguage();
  showReaderSettings(find("[data-tools]"));
  const hidePassword = connectPasswordField(find(".password", form));
  const meter = find("[data-strength]");
  showStrength(password, meter, `${ADDRESS}/strength`, () => ({ secret, ...(username.value ? { username: username.value } : {}) }));

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-busy") === "true") return;
    showErrors({
      ...(username.value.trim() ? {} : { username: t("sign_in.error.username") }),
      ...(password.value.length < 12 ? { password: t("error.password_length_wrong", { least: 12, most: 200 }) } : {}),
    });
    if (!username.value.trim() || password.value.length < 12) return;
    hidePassword();
    button.setAttribute("aria-busy", "true");
    try {
      const own = username.readOnly ? {} : { username: username.value };
      const { user, codeNeeded, error } = await outcomeOf(await post(`${ADDRESS}/use`, { secret, password: password.value, ...own }));
      // `replace`: the used link leaves the history of the browser.
      if (user) location.replace(homeOf(user.role));
      else if (codeNeeded) location.replace("/sign-in?step=code");
      else if (error?.code === "link_not_found") showEnded();
      else if (error) showErrors(reasonOf(error));
    } catch {
      showErrors({ form: t("error.unreachable") });
    } finally {
      button.removeAttribute("aria-busy");
    }
  });

  find("[data-again]").addEventListener("click", () => void openLink());
  await openLink();
}
