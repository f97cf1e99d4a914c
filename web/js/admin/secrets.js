/** What the lists of secrets share: a new secret is shown once, and each secret can be ended alone. */

import { copyText } from "../shared/clipboard.js";
import { element, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { confirmChange } from "./confirm.js";
import { shown } from "./dialog.js";

/**
 * @typedef {import("./context.js").Context} Context
 *
 * @typedef {object} Ending  how a secret ends
 * @property {string} text     of the button, here and in the question
 * @property {string} title    of the question
 * @property {string} lead     what stops
 * @property {string} address  of the secret in the API
 * @property {(ended: boolean) => unknown} after  shows the list again, also after a refusal: another user may have changed it
 *
 * @typedef {object} Copied  the texts of the button that copies
 * @property {string} copy
 * @property {string} copied
 */

let made = 0;

/**
 * Return the row of a secret.
 *
 * @param {Context} context
 * @param {string} name
 * @param {readonly string[]} notes
 * @param {Ending | null} ending  null for a secret that has ended
 */
export function secretRow(context, name, notes, ending) {
  const heading = element("span", { className: "record-name", id: `secret-${(made += 1)}` }, name);
  const row = element(
    "li",
    { className: "record is-plain" },
    heading,
    element("span", { className: "record-notes" }, notes.filter(Boolean).join(" · ")),
  );
  if (ending === null) return row;
  const { text, title, lead, address, after } = ending;
  const button = element("button", { className: "button is-quiet", type: "button", "aria-describedby": heading.id }, text);
  button.addEventListener("click", async () => {
    if (!(await confirmChange([], { title, lead, yes: text }))) return;
    /** @type {unknown[]} */
    const refusals = [];
    await context.ask(address, { method: "DELETE" }).catch((error) => refusals.push(error));
    try {
      await after(refusals.length === 0);
    } catch (error) {
      refusals.push(error);
    }
    if (refusals.length > 0 && !context.signal.aborted) context.complain(refusals[0]);
  });
  row.append(button);
  return row;
}

/**
 * Return a field with a new secret, the button that copies it, and the text for a browser that forbids the copy.
 *
 * @param {string} secret
 * @param {Copied} texts
 */
export function secretField(secret, { copy, copied }) {
  const field = element("input", { readOnly: true, value: secret, dir: "ltr", className: "key-text" });
  field.addEventListener("focus", () => field.select());
  const button = element("button", { className: "button is-primary", type: "button" }, copy);
  const failed = element("p", { className: "field-hint", role: "status" });
  button.addEventListener("click", async () => {
    field.focus();
    field.select();
    const done = await copyText(secret);
    setText(button, done ? copied : copy);
    setText(failed, done ? "" : t("admin.copy.failed"));
  });
  return { field, button, failed };
}

/**
 * Show a new secret, once, in a dialog. The promise resolves when the dialog closes.
 *
 * @param {string} id
 * @param {string} secret
 * @param {{title: string, lead: string, label: string, before?: readonly Node[], after?: readonly Node[]} & Copied} texts
 *   `before` and `after` stand around the field
 * @returns {Promise<unknown>}
 */
export function showOnce(id, secret, { title, lead, label, before = [], after = [], ...texts }) {
  const { field, button, failed } = secretField(secret, texts);
  field.id = `${id}-address`;
  const done = element("button", { className: "button", type: "button" }, t("admin.staff.done"));
  const dialog = shown(
    id,
    element(
      "div",
      { className: "dialog-body" },
      element("h2", { id: `${id}-title` }, title),
      element("p", { className: "dialog-lead" }, lead),
      ...before,
      element("div", { className: "field" }, element("label", { htmlFor: field.id }, label), field, failed),
      ...after,
      element("div", { className: "dialog-actions" }, done, button),
    ),
  );
  done.addEventListener("click", () => dialog.close());
  button.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", resolve);
  });
}
