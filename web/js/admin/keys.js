/** The section of API keys: each lets another system in. */

import { errorMessage } from "../desk/error-messages.js";
import { element, setText } from "../shared/dom.js";
import { formatDay, t } from "../shared/i18n.js";
import { secretField, secretRow } from "./secrets.js";

/**
 * @typedef {import("./context.js").Context} Context
 * @typedef {{id: number, name: string, site_id: number | null, created_at: number, last_used_at: number | null,
 *   revoked_at: number | null}} Key
 */

const ADDRESS = "/api/v1/api-keys";

/**
 * @param {HTMLElement} root
 * @param {Context} context
 */
export async function open(root, context) {
  const list = element("ul", { className: "records", "aria-labelledby": "keys-title" });
  const empty = element("p", { className: "records-empty" }, t("admin.keys.empty"));
  const made = element("div", { className: "key-made", role: "status" });
  const show = async () => {
    /** @type {{data: Key[]}} */
    const { data } = await context.ask(`${ADDRESS}?page_size=200`);
    empty.hidden = data.length > 0;
    list.hidden = data.length === 0;
    list.replaceChildren(...data.map((key) => rowOf(context, key, show)));
  };
  root.append(
    element(
      "section",
      { className: "group", "aria-labelledby": "keys-title" },
      element("h2", { id: "keys-title" }, t("admin.keys.list")),
      empty,
      list,
      formOf(context, made, show),
      made,
    ),
  );
  await show();
}

/**
 * @param {Context} context
 * @param {Key} key
 * @param {() => Promise<void>} show
 */
function rowOf(context, key, show) {
  const day = (/** @type {number} */ at) => formatDay(at, context.zone);
  const site = key.site_id === null ? t("admin.keys.all") : (context.sites.find(({ id }) => id === key.site_id)?.name ?? "");
  const used = key.last_used_at === null ? t("admin.keys.unused") : t("admin.keys.used", { time: day(key.last_used_at) });
  const notes = [site, t("admin.keys.created", { time: day(key.created_at) }), used];
  if (key.revoked_at !== null) {
    const row = secretRow(context, key.name, notes, null);
    row.append(element("span", { className: "record-warning" }, t("admin.keys.revoked", { time: day(key.revoked_at) })));
    return row;
  }
  return secretRow(context, key.name, notes, {
    text: t("admin.keys.revoke"),
    title: t("admin.keys.revoke.title", { name: key.name }),
    lead: t("admin.keys.revoke.lead"),
    address: `${ADDRESS}/${key.id}`,
    after: show,
  });
}

/**
 * @param {Context} context
 * @param {HTMLElement} made  shows the new key
 * @param {() => Promise<void>} show
 */
function formOf(context, made, show) {
  const name = element("input", { id: "key-name", maxLength: 80, required: true, autocomplete: "off", "aria-describedby": "key-name-error" });
  const error = element("p", { className: "field-error", id: "key-name-error", role: "alert" });
  const scope = element(
    "select",
    { id: "key-scope" },
    element("option", { value: "" }, t("admin.keys.all")),
    ...context.sites.map((site) => element("option", { value: String(site.id) }, site.name)),
  );
  const form = element(
    "form",
    { className: "add-row", noValidate: true },
    element("div", { className: "field" }, element("label", { htmlFor: name.id }, t("admin.keys.name")), name, error),
    element("div", { className: "field" }, element("label", { htmlFor: scope.id }, t("admin.keys.scope")), scope),
    element("button", { className: "button", type: "submit" }, t("admin.keys.add")),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    setText(error, name.value.trim() ? "" : t("admin.error.name"));
    if (!name.value.trim()) {
      name.focus();
      return;
    }
    const body = { name: name.value.trim(), ...(scope.value ? { site_id: Number(scope.value) } : {}) };
    try {
      const { key } = await context.ask(ADDRESS, { method: "POST", body });
      form.reset();
      showKey(made, key);
      await show();
    } catch (refusal) {
      setText(error, errorMessage(refusal));
    }
  });
  return form;
}

/**
 * Show a new key. It stays until the section closes: nobody can see it again.
 *
 * @param {HTMLElement} made
 * @param {string} key
 */
function showKey(made, key) {
  const { field, button, failed } = secretField(key, { copy: t("admin.keys.copy"), copied: t("admin.keys.copied") });
  field.setAttribute("aria-label", t("admin.keys.list"));
  made.replaceChildren(element("p", {}, t("admin.keys.made")), element("div", { className: "field-row" }, field, button), failed);
  field.focus();
}
