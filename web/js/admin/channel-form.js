/** The form of a channel: a kind, and the settings of that kind. A secret that is set stays unless the user types another. */

import { CommandFailed } from "../shared/commands.js";
import { element } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { choice, formDialog, labelledField, wholeNumber, WrongField } from "./form-dialog.js";

/**
 * @typedef {import("./context.js").Context} Context
 * @typedef {"email" | "sms" | "push" | "chat"} Way
 * @typedef {{way: Way, kind: string, settings: Record<string, any>, key_set: boolean, honours_key: boolean, reports_to: string | null, changed_at: number,
 *   outcome: string | null, outcome_at: number | null, arrival: string | null, arrival_at: number | null}} Channel
 * @typedef {{element: HTMLElement, value: () => string | number | boolean | null}} Setting
 */

/** The kinds of channels for each way, the first one by default. @type {Record<Way, string[]>} */
export const KINDS_OF = { email: ["smtp", "apprise"], sms: ["smsapi", "infobip", "apprise"], push: ["push"], chat: ["apprise"] };

/**
 * Ask for the settings of a way and save them. Returns whether they were saved.
 *
 * @param {Context} context
 * @param {Way} way
 * @param {Channel | undefined} channel  the present one
 */
export function channelForm(context, way, channel) {
  const kinds = KINDS_OF[way];
  const kind = choice(
    kinds.map((each) => [each, t(`admin.channels.kind.${each}`)]),
    channel?.kind ?? kinds[0] ?? "",
  );
  const box = element("div", { className: "channel-settings" });
  /** @type {Record<string, Setting>} */
  let fields = {};
  const show = () => {
    fields = settingsOf(kind.value, channel?.kind === kind.value ? channel : undefined);
    box.replaceChildren(element("p", { className: "field-hint" }, t(`admin.channels.kind.${kind.value}.hint`)), ...Object.values(fields).map((each) => each.element));
  };
  kind.addEventListener("change", show);
  show();
  return formDialog({
    title: t(`admin.channels.way.${way}`),
    parts: [...(kinds.length > 1 ? [labelledField(t("admin.channels.kind"), kind)] : []), box],
    yes: t("admin.channels.save"),
    submit: async () => {
      const body = Object.fromEntries(Object.entries(fields).map(([name, each]) => [name, each.value()]));
      await context.ask(`/api/v1/channels/${way}/${kind.value}`, { method: "PUT", body }).catch((refusal) => {
        throw wrongFieldOf(refusal, fields) ?? refusal;
      });
      return true;
    },
  });
}

/**
 * Return the error of the field that a refusal names. A secret is refused that would go to a changed server.
 *
 * @param {unknown} refusal
 * @param {Record<string, Setting>} fields
 */
function wrongFieldOf(refusal, fields) {
  const details = refusal instanceof CommandFailed ? refusal.details : undefined;
  const setting = fields[details?.field ?? details?.fields?.[0]?.field];
  if (setting === undefined) return null;
  const input = setting.element.querySelector("input");
  const field = setting.element.querySelector("label")?.textContent ?? "";
  input?.focus();
  return new WrongField(t(input?.type === "password" && !input.value ? "admin.channels.secret.again" : "admin.channels.wrong", { field }));
}

/**
 * Return the fields of a kind, by the names of the settings.
 *
 * @param {string} kind
 * @param {Channel | undefined} channel  of the same kind
 * @returns {Record<string, Setting>}
 */
function settingsOf(kind, channel) {
  const { settings = {}, key_set: set = false } = channel ?? {};
  const label = (/** @type {string} */ name) => t(`admin.channels.setting.${name}`);
  const text = (/** @type {string} */ name, /** @type {{required?: boolean, type?: string, value?: string, hint?: string}} */ { required = false, type = "text", value = "", hint } = {}) => {
    const input = element("input", { type, required, maxLength: 250, autocomplete: "off", value: settings[name] ?? value, dir: type === "text" ? "auto" : "ltr" });
    return { element: labelledField(label(name), input, hint), value: () => input.value.trim() };
  };
  const secret = (/** @type {string} */ name, /** @type {string | undefined} */ hint) => {
    const input = element("input", { type: "password", maxLength: 500, required: !set && name !== "password", dir: "ltr" });
    input.setAttribute("autocomplete", "new-password");
    const stays = set ? t("admin.channels.secret.set") : hint;
    return { element: labelledField(label(name === "address" ? "apprise" : name), input, stays), value: () => input.value || (set || name !== "password" ? null : "") };
  };
  switch (kind) {
    case "smtp":
      return {
        host: text("host", { required: true }),
        security: chosen(label("security"), ["starttls", "tls", "none"], settings.security ?? "starttls"),
        port: whole(label("port"), settings.port ?? 587),
        sender: text("sender", { required: true, type: "email" }),
        sender_name: text("sender_name"),
        username: text("username"),
        password: secret("password", undefined),
      };
    case "smsapi":
      return {
        token: secret("token", undefined),
        sender: text("sender_of_sms", { value: settings.sender }),
        address: text("api_address", { required: true, type: "url", value: settings.address ?? "https://api.smsapi.com" }),
      };
    case "infobip":
      return {
        address: text("api_address", { required: true, type: "url", value: settings.address }),
        api_key: secret("api_key", undefined),
        sender: text("sender_of_sms", { required: true, value: settings.sender }),
        idempotent: checked(label("idempotent"), settings.idempotent ?? false, t("admin.channels.setting.idempotent.hint")),
      };
    case "apprise":
      return { address: secret("address", t("admin.channels.setting.apprise.hint")) };
    default:
      return { contact: text("contact", { required: true, type: "email" }) };
  }
}

/** @param {string} label @param {string[]} words @param {string} value @returns {Setting} */
function chosen(label, words, value) {
  const select = choice(
    words.map((each) => [each, t(`admin.channels.security.${each}`)]),
    value,
  );
  return { element: labelledField(label, select), value: () => select.value };
}

/** @param {string} label @param {number} value @returns {Setting} */
function whole(label, value) {
  const input = wholeNumber(value, 1, 65535);
  return { element: labelledField(label, input), value: () => Number(input.value) };
}

/** @param {string} label @param {boolean} value @param {string} hint @returns {Setting} */
function checked(label, value, hint) {
  const box = element("input", { type: "checkbox", checked: value });
  const field = element("div", { className: "field" }, element("label", { className: "choice" }, box, element("span", {}, label)), element("p", { className: "field-hint" }, hint));
  return { element: field, value: () => box.checked };
}
