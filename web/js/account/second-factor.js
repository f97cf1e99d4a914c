/** The user's second factor: its state, its set-up, its recovery codes, and its removal. */

import { showFieldError } from "../components/field-error.js";
import { connectPasswordField } from "../components/password-field.js";
import { copyText } from "../shared/clipboard.js";
import { element, find, setText } from "../shared/dom.js";
import { formatDay, hasText, t } from "../shared/i18n.js";
import { ask } from "./requests.js";

/**
 * @typedef {{on: boolean, since: number | null, recovery_codes_left: number}} State
 * @typedef {"set-up" | "replace" | "renew" | "remove"} Wish  what the user wants to do
 */

const ADDRESS = "/api/v1/session/second-factor";
const FEW_CODES = 3;
/** Where the password goes for each wish. @type {Record<Wish, string>} */
const ADDRESSES = { "set-up": ADDRESS, replace: ADDRESS, renew: `${ADDRESS}/recovery-codes`, remove: `${ADDRESS}/remove` };

/**
 * @param {import("../shared/session.js").User} user
 * @param {() => Promise<void>} showSessions  called after a set-up, which ends the other sessions
 */
export async function connectSecondFactor(user, showSessions) {
  const dialog = new FactorDialog(user, async (wish) => {
    await show();
    setText(find("[data-factor-done]"), t(`account.factor.done.${wish}`));
    if (wish === "set-up" || wish === "replace") await showSessions();
  });
  for (const button of document.querySelectorAll("[data-factor]")) {
    button.addEventListener("click", () => dialog.open(/** @type {Wish} */ (button.getAttribute("data-factor"))));
  }
  await show();
}

/** Read the state again and show it. */
async function show() {
  const { body } = await ask(ADDRESS);
  if (!body) return;
  /** @type {State} */
  const { on, since, recovery_codes_left: left } = body;
  const state = find("[data-factor-state]");
  state.dataset.on = String(on);
  setText(state, on ? t("account.factor.on", { day: formatDay(since ?? 0) }) : t("account.factor.off"));
  const more = find("[data-factor-more]");
  setText(more, on ? t("account.factor.left", { n: left }) : t("account.factor.off.more"));
  more.classList.toggle("is-low", on && left < FEW_CODES);
  for (const button of document.querySelectorAll("[data-factor]")) {
    /** @type {HTMLElement} */ (button).hidden = (button.getAttribute("data-factor") === "set-up") === on;
  }
}

/** The dialog of all changes: first the password, then the code to scan, then the recovery codes. */
class FactorDialog {
  #dialog = /** @type {HTMLDialogElement} */ (find("#factor"));
  #password = /** @type {HTMLInputElement} */ (find("#own_password"));
  #code = /** @type {HTMLInputElement} */ (find("#factor [name=code]"));
  #hidePassword;
  #changed;
  /** @type {Wish} */
  #wish = "set-up";
  /** @type {string[]} */
  #codes = [];
  #secret = "";

  /**
   * @param {import("../shared/session.js").User} user
   * @param {(wish: Wish) => Promise<void>} changed  called after a change
   */
  constructor(user, changed) {
    this.#changed = changed;
    this.#hidePassword = connectPasswordField(find("[data-own]"));
    this.#form("password").addEventListener("submit", (event) => void this.#send(event, this.#password, () => this.#sendPassword()));
    this.#form("scan").addEventListener("submit", (event) => void this.#send(event, this.#code, () => this.#sendCode()));
    for (const button of this.#dialog.querySelectorAll("[data-close]")) button.addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("close", () => this.#forget());
    find("[data-copy-secret]").addEventListener("click", (event) => void copy(event, this.#secret));
    find("[data-copy-codes]").addEventListener("click", (event) => void copy(event, this.#codes.join("\n")));
    find("[data-print-codes]").addEventListener("click", () => print());
    this.#dialog.dataset.user = user.username; // stands above the printed codes
  }

  /** @param {Wish} wish */
  open(wish) {
    this.#wish = wish;
    setText(find("[data-factor-done]"), "");
    setText(find("[data-password-title]"), t(`account.factor.title.${wish}`));
    setText(find("[data-password-lead]"), t(`account.factor.lead.${wish}`));
    setText(find("[data-password-submit]"), t(wish === "remove" ? "account.factor.remove" : "account.continue"));
    showFieldError(this.#password, "");
    showFieldError(this.#code, "");
    this.#pane("password");
    this.#dialog.showModal();
    this.#password.focus();
  }

  /** @param {"password" | "scan" | "codes"} name */
  #pane(name) {
    for (const pane of this.#dialog.querySelectorAll("[data-pane]")) {
      /** @type {HTMLElement} */ (pane).hidden = pane.getAttribute("data-pane") !== name;
    }
    const title = find(`[data-pane=${name}] h2`, this.#dialog);
    title.id ||= `factor-title-${name}`;
    this.#dialog.setAttribute("aria-labelledby", title.id);
  }

  /** @param {string} name */
  #form(name) {
    return /** @type {HTMLFormElement} */ (find(`[data-pane=${name}]`, this.#dialog));
  }

  /**
   * Send a pane once. The error stands beside its field.
   *
   * @param {SubmitEvent} event
   * @param {HTMLInputElement} input
   * @param {() => Promise<string>} send  returns the error's text, or ""
   */
  async #send(event, input, send) {
    event.preventDefault();
    const button = find("[type=submit]", /** @type {HTMLElement} */ (event.currentTarget));
    if (button.getAttribute("aria-busy") === "true") return;
    if (!input.value.trim()) {
      showFieldError(input, t(input === this.#code ? "sign_in.error.code" : "sign_in.error.password"));
      input.focus();
      return;
    }
    button.setAttribute("aria-busy", "true");
    try {
      const wrong = await send();
      showFieldError(input, wrong);
      if (wrong) {
        input.focus();
        input.select();
      }
    } catch {
      showFieldError(input, t("error.unreachable"));
    } finally {
      button.removeAttribute("aria-busy");
    }
  }

  async #sendPassword() {
    this.#hidePassword();
    const { body, error } = await ask(ADDRESSES[this.#wish], { method: "POST", body: { password: this.#password.value } });
    if (error !== undefined) return reasonOf(error);
    this.#password.value = "";
    if (this.#wish === "remove") {
      this.#dialog.close();
      await this.#changed("remove");
    } else if (this.#wish === "renew") await this.#showCodes(body.recovery_codes);
    else this.#showSecret(body);
    return "";
  }

  async #sendCode() {
    const { body, error } = await ask(`${ADDRESS}/confirm`, { method: "POST", body: { code: this.#code.value } });
    if (error !== undefined) return reasonOf(error);
    await this.#showCodes(body.recovery_codes);
    return "";
  }

  /** @param {{secret: string, qr_code: string}} begun */
  #showSecret({ secret, qr_code }) {
    this.#secret = secret;
    /** @type {HTMLImageElement} */ (find("[data-qr]")).src = qr_code;
    setText(find("[data-secret]"), (secret.match(/.{4}/g) ?? []).join(" "));
    this.#code.value = "";
    this.#pane("scan");
    this.#code.focus();
  }

  /** @param {string[]} codes */
  async #showCodes(codes) {
    this.#codes = codes;
    find("[data-codes]").replaceChildren(...codes.map((each) => element("li", {}, element("code", {}, each))));
    this.#pane("codes");
    find("[data-codes-title]").focus();
    await this.#changed(this.#wish);
  }

  /** Leave no secret in a page that stays open. */
  #forget() {
    this.#codes = [];
    this.#secret = "";
    this.#password.value = "";
    this.#code.value = "";
    find("[data-codes]").replaceChildren();
    setText(find("[data-secret]"), "");
    find("[data-qr]").removeAttribute("src");
    setText(find("[data-copied]"), "");
  }
}

/** @param {import("../shared/session.js").Refusal} refusal */
function reasonOf({ code, details }) {
  if (code === "sign_in_locked") return t("sign_in.error.locked.code", { n: Math.ceil(details.retry_after / 60) });
  return hasText(`error.${code}`) ? t(`error.${code}`) : t("error.internal_error");
}

/**
 * Copy a text, and say so on the button.
 *
 * @param {Event} event
 * @param {string} text
 */
async function copy(event, text) {
  const button = /** @type {HTMLElement} */ (event.currentTarget);
  setText(button, t((await copyText(text)) ? "account.copied" : "account.copy.failed"));
}
