/** The section of message texts: a manager writes the clinic's own texts, and sees each as its patients will see it. */

import { element, loadStyle, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { TextEditor } from "./text-editor.js";
import { ownName, templateName } from "./text-names.js";

/**
 * @typedef {import("./context.js").Context} Context
 * @typedef {{language: string, shipped: string | null, own: string | null, changed_at: number | null}} MessageText
 * @typedef {{name: string, needed: string[], others: string[], texts: MessageText[]}} Template
 */

/**
 * @param {HTMLElement} root
 * @param {Context} context
 */
export async function open(root, context) {
  const address = `/api/v1/sites/${context.site.id}/message-texts`;
  const read = async () => /** @type {Template[]} */ ((await context.ask(address)).data);
  const [templates] = await Promise.all([read(), loadStyle("message-texts")]);
  const list = element("ul", { className: "text-list", "aria-label": t("admin.texts.list") });
  const editor = new TextEditor(context, address, async () => show(await read()));
  const rows = templates.map(({ name }) => {
    const note = element("span", { className: "text-note" });
    const button = element("button", { className: "text-choice", type: "button" }, element("span", {}, templateName(name)), note);
    button.dataset.template = name;
    button.addEventListener("click", () => {
      choose(name);
      editor.focus();
    });
    list.append(element("li", {}, button));
    return { name, button, note };
  });
  let known = templates;

  /** @param {string} name */
  const choose = (name) => {
    const template = known.find((each) => each.name === name);
    if (template === undefined) return;
    for (const row of rows) {
      if (row.name === name) row.button.setAttribute("aria-current", "true");
      else row.button.removeAttribute("aria-current");
    }
    editor.show(template);
  };

  /** @param {Template[]} fresh */
  const show = (fresh) => {
    known = fresh;
    for (const { name, note } of rows) {
      const own = known.find((each) => each.name === name)?.texts.filter((each) => each.own !== null) ?? [];
      setText(note, own.length === 0 ? "" : t("admin.texts.own_in", { languages: own.map(({ language }) => ownName(language)).join(t("admin.list.separator")) }));
    }
    choose(editor.template ?? known[0]?.name ?? "");
  };

  root.append(element("div", { className: "message-texts" }, list, editor.element));
  show(templates);
}
