/**
 * The reader's language. Every visible string is in `web/locales`, one JSON file for each language; a new language is
 * a new file, and its tag and own name here.
 *
 * Which one: what the address asks for (`?lang=fr`), else what the reader has chosen on this device, else the language of
 * what the page is about (the patient's, the site's), else the browser's.
 */

import { recall, remember } from "./memory.js";
import { request } from "./request.js";

/** @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Entry  one text, or one for each plural form of `n` */

/** What each language calls itself. */
export const LANGUAGE_NAMES = /** @type {const} */ ({ en: "English", es: "Español", fr: "Français", ar: "العربية" });
export const LANGUAGES = Object.keys(LANGUAGE_NAMES);

const DEFAULT = "en";
const CHOSEN = "language";
const RIGHT_TO_LEFT = new Set(["ar"]);
// Days as in Britain; numbers with the digits that are on the tickets.
const FORMATS = { en: "en-GB", ar: "ar-u-nu-latn" };

let language = DEFAULT;
/** @type {Record<string, Entry>} */
let texts = {};
/** How the language writes numbers and dates, and what it calls plural. */
let format = "en-GB";

/** The language that is spoken now, as a tag. */
export const currentLanguage = () => language;

/** @param {string} [tag] */
export const isRightToLeft = (tag = language) => RIGHT_TO_LEFT.has(tag);

/**
 * Return the first of these languages that we have, or English.
 *
 * @param {Iterable<string>} wanted  tags, best first; those of other languages are passed over
 * @returns {string}
 */
export function firstSupported(wanted) {
  for (const tag of wanted) {
    const base = tag.toLowerCase().split("-")[0] ?? "";
    if (LANGUAGES.includes(base)) return base;
  }
  return DEFAULT;
}

/**
 * Return the languages that are wanted on this page, best first.
 *
 * @param {...(string | null | undefined)} own  those of what the page is about
 * @returns {string[]}
 */
export function preferredLanguages(...own) {
  const asked = new URLSearchParams(location.search).get("lang");
  return /** @type {string[]} */ ([asked, recall(CHOSEN), ...own].filter(Boolean)).concat(navigator.languages);
}

/** Keep the reader's choice on this device, and speak it. @param {string} tag */
export async function chooseLanguage(tag) {
  remember(CHOSEN, tag);
  await loadLanguage([tag]);
}

/**
 * Load the strings of the first language that we have, and translate the page. Return whether it is another than before:
 * what the page has drawn from `t` is then to be drawn again.
 *
 * @param {readonly string[]} [wanted]  language tags, best first
 * @returns {Promise<boolean>}
 */
export async function loadLanguage(wanted = preferredLanguages()) {
  const next = firstSupported(wanted);
  if (next === language && Object.keys(texts).length > 0) return false;
  const loaded = await loadTexts(next);
  texts = loaded;
  language = next;
  format = FORMATS[/** @type {keyof typeof FORMATS} */ (next)] ?? next;
  clocks.clear();
  plurals = new Intl.PluralRules(format);
  numbers = new Intl.NumberFormat(format);
  document.documentElement.lang = language;
  document.documentElement.dir = isRightToLeft() ? "rtl" : "ltr";
  translate(document);
  return true;
}

/** @type {Map<string, Promise<Record<string, Entry>>>} */
const loading = new Map();

/**
 * Return the texts of a language, also of one that the page does not speak.
 *
 * @param {string} tag
 * @returns {Promise<Record<string, Entry>>}
 */
export function loadTexts(tag) {
  let found = loading.get(tag);
  if (found === undefined) {
    found = request(new URL(`../../locales/${tag}.json`, import.meta.url).href).then((answer) => answer.json());
    found.catch(() => loading.delete(tag));
    loading.set(tag, found);
  }
  return found;
}

/**
 * Return whether there is a text by this key.
 *
 * @param {string} key
 */
export const hasText = (key) => Object.hasOwn(texts, key);

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
    typeof entry === "string" ? entry : ((typeof n === "number" ? entry[plurals.select(n)] : undefined) ?? entry.other ?? key);
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name] ?? "";
    return isolated(typeof value === "number" ? formatNumber(value) : value);
  });
}

/**
 * What is filled in may run the other way ("Room 3" in an Arabic sentence): Unicode's isolates keep the two apart.
 *
 * @param {string} value
 */
const isolated = (value) => (isRightToLeft() && value !== "" ? `\u2068${value}\u2069` : value);

let plurals = new Intl.PluralRules(DEFAULT);
let numbers = new Intl.NumberFormat(DEFAULT);

/** @param {number} value */
export const formatNumber = (value) => numbers.format(value);

/** @type {Map<string, Intl.DateTimeFormat>} */
const clocks = new Map();

/**
 * Return an instant as hours and minutes.
 *
 * @param {number} milliseconds
 * @param {string} [zone]  an IANA zone; without it, the reader's own
 */
export function formatTime(milliseconds, zone) {
  return clock("time", zone, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(milliseconds);
}

/**
 * Return an instant's day: "Monday, 3 March".
 *
 * @param {number} milliseconds
 * @param {string} [zone]
 */
export function formatDay(milliseconds, zone) {
  return clock("day", zone, { weekday: "long", day: "numeric", month: "long" }).format(milliseconds);
}

/**
 * @param {string} kind
 * @param {string | undefined} zone
 * @param {Intl.DateTimeFormatOptions} options
 */
function clock(kind, zone, options) {
  const key = `${kind}/${zone}`;
  let found = clocks.get(key);
  if (found === undefined) {
    found = new Intl.DateTimeFormat(format, { ...options, timeZone: zone });
    clocks.set(key, found);
  }
  return found;
}

/**
 * Translate the fixed strings of a page: `data-text` names an element's text, `data-name` its accessible name, `data-alt`
 * what a picture shows. What
 * stands in the HTML is the English one, so that a page shows words before, or without, this.
 *
 * @param {ParentNode} root
 */
function translate(root) {
  for (const each of root.querySelectorAll("[data-text]")) each.textContent = t(each.getAttribute("data-text") ?? "");
  for (const each of root.querySelectorAll("[data-name]")) {
    each.setAttribute("aria-label", t(each.getAttribute("data-name") ?? ""));
  }
  for (const each of root.querySelectorAll("[data-alt]")) each.setAttribute("alt", t(each.getAttribute("data-alt") ?? ""));
}
