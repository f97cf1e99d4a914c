/** The names that the section of message texts shows: of templates and of languages. */

import { t } from "../shared/i18n.js";
import { languageName } from "./names.js";

/** Return the name of a template. @param {string} name */
export const templateName = (name) => t(name === "missed-call" ? "admin.texts.missed_call" : `admin.messages.kind.${name}`);

/** Return the name of a language in that language, also of one that the pages do not have. @param {string} tag */
export function ownName(tag) {
  const known = languageName(tag);
  if (known !== tag) return known;
  try {
    return new Intl.DisplayNames([tag], { type: "language" }).of(tag) ?? tag;
  } catch {
    return tag; // not one of the browser's
  }
}

/** Languages of a script from right to left, of those that patients may have. */
const RIGHT_TO_LEFT = new Set(["ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"]);

/** Return the direction of a language. @param {string} tag */
export const directionOf = (tag) => (RIGHT_TO_LEFT.has(tag.split("-")[0] ?? "") ? "rtl" : "ltr");
