/** The names of a record: the main one, and one in each further language of the site. */

import { LANGUAGE_NAMES, t } from "../shared/i18n.js";
import { textField } from "./fields.js";

/**
 * @typedef {import("../live/view.js").Cells} Cells
 * @typedef {import("./context.js").Context} Context
 */

/** Return the tags of the languages in which a site's records have names of their own. @param {Cells} cells @returns {string[]} */
export function languagesOf(cells) {
  const site = cells.get("site");
  return site === undefined ? [] : [site.language, ...site.rules.languages].filter((tag, index, all) => all.indexOf(tag) === index);
}

/** Return the name of a language, in that language if the pages know it. @param {string} tag */
export const languageName = (tag) => /** @type {Record<string, string>} */ (LANGUAGE_NAMES)[tag] ?? tag;

/**
 * Return what a field needs that shows and changes one field of a record.
 *
 * @param {{key: string, command: string, id: Record<string, number>}} record  the key of its cell, its command, and its id
 *   as the command has it
 * @param {string} cellField  the field's name in the cell
 * @param {string} [field]    the field's name in the command
 * @returns {{read: (cells: Cells) => any, save: (after: any, before: any) => import("./context.js").Change}}
 */
export function ofRecord({ key, command, id }, cellField, field = cellField) {
  const order = (/** @type {unknown} */ value) => ({ command, body: { ...id, [field]: value } });
  return {
    read: (cells) => cells.get(key)?.[cellField],
    save: (after, before) => ({ ...order(after), undo: order(before) }),
  };
}

/**
 * Return a field for the name of a record in each language of the site besides its own.
 *
 * @param {Context} context
 * @param {{key: string, command: string, id: Record<string, number>}} record
 * @param {string[]} tags
 */
export function nameFields(context, { key, command, id }, tags) {
  const order = (/** @type {Record<string, string>} */ names) => ({ command, body: { ...id, names } });
  return tags.map((tag) =>
    textField(context, {
      label: t("admin.name_in", { language: languageName(tag) }),
      required: false,
      lang: tag,
      read: (cells) => {
        const cell = cells.get(key);
        return cell === undefined ? undefined : (cell.names[tag] ?? "");
      },
      save: (name) => {
        const before = context.cells.get(key)?.names ?? {};
        const after = Object.fromEntries(Object.entries({ ...before, [tag]: name }).filter(([, text]) => text !== ""));
        return { ...order(after), undo: order(before) };
      },
    }),
  );
}
