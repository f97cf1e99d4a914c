/**
 * The language of the page. `web/locales` has every visible text, in one JSON file for each language. A new language needs
 * a file, and its tag and name here.
 *
 * The page chooses, in this order: the language in the address (`?lang=fr`), the reader's choice on this device, the
 * language of the patient or the site, the browser's languages.
 */

import { lookup } from "./languages.js";
import { recall, remember } from "./memory.js";
import { request } from "./request.js";

/** @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Entry  a text, or its plural forms for `n` */

/** The name of each language, in that language. */
export const LANGUAGE_NAMES = /** @type {const} */ ({ en: "English", es: "Español", fr: "Français", ar: "العربية" });
export const LANGUAGES = Object.keys(LANGUAGE_NAMES);

const DEFAULT = "en";
const CHOSEN = "language";
const RIGHT_TO_LEFT = new Set(["ar"]);
// English dates are British. Arabic numbers have the digits of the tickets.
const FORMATS = { en: "en-GB", ar: "ar-u-nu-latn" };

let language = DEFAULT;
/** The languages of the reader, best first: those that were wanted before the page's, and the page's. */
let reading = [DEFAULT];
/** @type {Record<string, Entry>} */
let texts = {};
/** The locale for numbers, dates and plurals. */
let format = "en-GB";

/** Return the tag of the page's language. */
export const currentLanguage = () => language;

/** Return whether a language is written from right to left. @param {string} [tag]  the page's language without it */
export const isRightToLeft = (tag = language) => RIGHT_TO_LEFT.has(tag);

/**
 * Return the first of these languages that has a locale, or English.
 *
 * @param {Iterable<string>} wanted  language tags, best first
 * @returns {string}
 */
export const firstSupported = (wanted) => lookup(wanted, LANGUAGES) ?? DEFAULT;

/**
 * Return the languages to try for this page, best first.
 *
 * @param {...(string | null | undefined)} own  the language of the patient and the site, or the site alone
 * @returns {string[]}
 */
export function preferredLanguages(...own) {
  const asked = new URLSearchParams(location.search).get("lang");
  return /** @type {string[]} */ ([asked, recall(CHOSEN), ...own].filter(Boolean)).concat(navigator.languages);
}

/** Remember the reader's choice on this device, and load that language. @param {string} tag */
export async function chooseLanguage(tag) {
  remember(CHOSEN, tag);
  await loadLanguage([tag]);
}

/**
 * Load the first language that has a locale, and translate the page. Returns whether the language has changed: the page then
 * has to paint its other texts again.
 *
 * @param {readonly string[]} [wanted]  language tags, best first
 * @returns {Promise<boolean>}
 */
export async function loadLanguage(wanted = preferredLanguages()) {
  const next = firstSupported(wanted);
  const place = wanted.findIndex((tag) => lookup([tag], LANGUAGES) !== null);
  reading = [...wanted.slice(0, place < 0 ? undefined : place + 1), next];
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
 * Return the texts of any language.
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
 * Return the name that the reader understands best.
 *
 * @param {string} main  for a reader of none of the languages
 * @param {Record<string, string> | undefined} names  by language tag
 * @param {readonly string[]} [wanted]  language tags, best first; the reader's without it
 * @returns {string}
 */
export function nameIn(main, names = {}, wanted = reading) {
  return names[lookup(wanted, Object.keys(names)) ?? ""] ?? main;
}

/**
 * Return a queue or a point with its name in the reader's language.
 *
 * @template {{name: string, names?: Record<string, string>}} T
 * @param {T} each
 * @returns {T}
 */
export const named = (each) => ({ ...each, name: nameIn(each.name, each.names) });

/**
 * Return whether the page's language has a text.
 *
 * @param {string} key
 */
export const hasText = (key) => Object.hasOwn(texts, key);

/**
 * Return a text with its `{names}` filled in. Numbers are formatted for the language, and `n` chooses the plural form. An
 * unknown key returns itself.
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
 * Isolate a value (by Unicode's isolates) in a right-to-left text: "Room 3" in an Arabic sentence runs the other way.
 *
 * @param {string} value
 */
const isolated = (value) => (isRightToLeft() && value !== "" ? `\u2068${value}\u2069` : value);

let plurals = new Intl.PluralRules(DEFAULT);
let numbers = new Intl.NumberFormat(DEFAULT);

/** Return a number as the language writes it. @param {number} value */
export const formatNumber = (value) => numbers.format(value);

/** @type {Map<string, Intl.DateTimeFormat>} */
const clocks = new Map();

/** The hours of the site's clock. */
let hours = "24";

/**
 * Write all times with the clock of a site.
 *
 * @param {"12" | "24" | undefined} clock  as its cell has it; undefined changes nothing
 */
export function useClock(clock) {
  if (clock === undefined || clock === hours) return;
  hours = clock;
  clocks.clear();
}

/**
 * Return an instant as hours and minutes, on the site's clock: "14:40" or "2:40 pm".
 *
 * @param {number} milliseconds
 * @param {string} [zone]  an IANA zone; the browser's without it
 */
export function formatTime(milliseconds, zone) {
  const hour = hours === "12" ? "numeric" : "2-digit";
  return clock("time", zone, { hour, minute: "2-digit", hourCycle: hours === "12" ? "h12" : "h23" }).format(milliseconds);
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
 * Translate the fixed texts of a page. `data-text` has the key of an element's text, `data-name` of its accessible name,
 * `data-alt` of a picture's description. The HTML has the English texts, so that a page shows texts before, or without,
 * this function.
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
