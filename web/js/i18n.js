/**
 * The reader's language. Every visible string is in `web/locales`, one JSON file for each language; a new language is
 * a new file and its tag here.
 */

export const LANGUAGES = ["en"];

/** @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Entry  one text, or one for each plural form of `n` */

let language = "en";
/** @type {Record<string, Entry>} */
let texts = {};

/**
 * Load the strings of the first language that we have, and translate the page.
 *
 * @param {readonly string[]} [wanted]  language tags, best first
 */
export async function speak(wanted = navigator.languages) {
  language = wanted.map((tag) => tag.toLowerCase().split("-")[0] ?? "").find((tag) => LANGUAGES.includes(tag)) ?? "en";
  const answer = await fetch(new URL(`../locales/${language}.json`, import.meta.url));
  texts = await answer.json();
  document.documentElement.lang = language;
  translate(document);
}

/**
 * Return whether there is a text by this key.
 *
 * @param {string} key
 */
export const has = (key) => Object.hasOwn(texts, key);

/**
 * Return a text, its `{names}` filled in; `n` also chooses the plural form, and is written as the language writes numbers.
 *
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function t(key, values = {}) {
  const entry = texts[key] ?? key;
  const { n } = values;
  const text =
    typeof entry === "string"
      ? entry
      : ((typeof n === "number" ? entry[new Intl.PluralRules(language).select(n)] : undefined) ?? entry.other ?? key);
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name] ?? "";
    return typeof value === "number" ? number(value) : value;
  });
}

/** @param {number} value */
export const number = (value) => new Intl.NumberFormat(language).format(value);

/** @type {Map<string | undefined, Intl.DateTimeFormat>} */
const clocks = new Map();

/**
 * Return an instant as hours and minutes.
 *
 * @param {number} milliseconds
 * @param {string} [zone]  an IANA zone; without it, the reader's own
 */
export function time(milliseconds, zone) {
  let clock = clocks.get(zone);
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone });
    clocks.set(zone, clock);
  }
  return clock.format(milliseconds);
}

/**
 * Translate the fixed strings of a page: `data-text` names an element's text, `data-name` its accessible name. What
 * stands in the HTML is the English one, so that a page shows words before, or without, this.
 *
 * @param {ParentNode} root
 */
function translate(root) {
  for (const each of root.querySelectorAll("[data-text]")) each.textContent = t(each.getAttribute("data-text") ?? "");
  for (const each of root.querySelectorAll("[data-name]")) {
    each.setAttribute("aria-label", t(each.getAttribute("data-name") ?? ""));
  }
}
