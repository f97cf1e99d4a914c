import { element } from "../shared/dom.js";
import { hasText, t } from "../shared/i18n.js";
import { dayOf, timeOf } from "../shared/local-time.js";

/**
 * @typedef {import("../shared/commands.js").Affected} Affected
 * @typedef {import("./context.js").Question} Question
 */

/**
 * List the people and records that a change affects, and ask whether to go on.
 *
 * @param {readonly Affected[]} affects
 * @param {Question} [question]
 * @returns {Promise<boolean>}
 */
export function confirmChange(affects, { title, lead, yes } = {}) {
  const dialog = element(
    "dialog",
    { id: "confirm", className: "dialog", "aria-labelledby": "confirm-title" },
    element(
      "form",
      { method: "dialog" },
      element("h2", { id: "confirm-title" }, title ?? t("admin.confirm")),
      element("p", { className: "dialog-lead" }, lead ?? t("admin.confirm.lead")),
      element("ul", { className: "affected" }, ...affects.map(rowOf)),
      element(
        "div",
        { className: "dialog-actions" },
        element("button", { className: "button", value: "" }, t("dialog.cancel")),
        element("button", { className: "button is-primary", value: "yes" }, yes ?? t("admin.confirm.yes")),
      ),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

/**
 * Say that a record cannot be removed, and list what depends on it.
 *
 * @param {string} name
 * @param {Record<string, any>} details  of the refusal `in_use`
 */
export function showUsers(name, { count = 0, first = [] }) {
  const dialog = element(
    "dialog",
    { id: "confirm", className: "dialog", "aria-labelledby": "confirm-title" },
    element(
      "form",
      { method: "dialog" },
      element("h2", { id: "confirm-title" }, t("admin.in_use", { name })),
      element("p", { className: "dialog-lead" }, t("admin.in_use.lead")),
      element("ul", { className: "affected" }, rowOf({ kind: "users", count, first })),
      element("div", { className: "dialog-actions" }, element("button", { className: "button is-primary" }, t("admin.close"))),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(undefined);
    });
  });
}

/** @param {Affected} affected */
function rowOf({ kind, count, first }) {
  const more = count - first.length;
  const shown = kind.startsWith("appointment_") ? first.map((local) => `${dayOf(local)}, ${timeOf(local)}`) : first;
  const names = shown.join(t("admin.list.separator")) + (more > 0 ? ` ${t("admin.affects.more", { n: more })}` : "");
  const row = element("li", {}, element("strong", {}, affectedText(kind, count)), ...(names ? [element("span", {}, names)] : []));
  row.dataset.affects = kind;
  return row;
}

/**
 * Return the text of a kind of affected people or records.
 *
 * @param {string} kind
 * @param {number} count
 */
function affectedText(kind, count) {
  const key = `admin.affects.${kind}`;
  return t(hasText(key) ? key : "admin.affects.other", { n: count });
}
