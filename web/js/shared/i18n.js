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

/** The hours of the site's clock. */
let hours = "24";

/** The texts of one language, and its way to write numbers and times. */
class Locale {
  #texts;
  #format;
  #plurals;
  #numbers;
  /** @type {Map<string, Intl.DateTimeFormat>} */
  #clocks = new Map();

  /** @param {string} tag @param {Record<string, Entry>} texts */
  constructor(tag, texts) {
    this.tag = tag;
    this.#texts = texts;
    this.#format = FORMATS[/** @type {keyof typeof FORMATS} */ (tag)] ?? tag;
    this.#plurals = new Intl.PluralRules(this.#format);
    this.#numbers = new Intl.NumberFormat(this.#format);
  }

  /** The direction of the writing. */
  get direction() {
    return isRightToLeft(this.tag) ? "rtl" : "ltr";
  }

  /** Return whether the language has a text. @param {string} key */
  has(key) {
    return Object.hasOwn(this.#texts, key);
  }

  /**
   * Return a text with its `{names}` filled in. Numbers are formatted for the language, and `n` chooses the plural form. An
   * unknown key returns itself.
   *
   * @param {string} key
   * @param {Record<string, string | number>} [values]
   * @returns {string}
   */
  text(key, values = {}) {
    const entry = this.#texts[key] ?? key;
    const { n } = values;
    const text =
      typeof entry === "string" ? entry : ((typeof n === "number" ? entry[this.#plurals.select(n)] : undefined) ?? entry.other ?? key);
    return text.replace(/\{(\w+)\}/g, (_, name) => {
      const value = values[name] ?? "";
      return this.#isolated(typeof value === "number" ? this.number(value) : value);
    });
  }

  /**
   * Isolate a value (by Unicode's isolates) in a right-to-left text: "Room 3" in an Arabic sentence runs the other way.
   *
   * @param {string} value
   */
  #isolated(value) {
    return this.direction === "rtl" && value !== "" ? `\u2068${value}\u2069` : value;
  }

  /** Return a number as the language writes it. @param {number} value */
  number(value) {
    return this.#numbers.format(value);
  }

  /**
   * Return an instant as hours and minutes, on the site's clock: "14:40" or "2:40 pm".
   *
   * @param {number} milliseconds
   * @param {string} [zone]  an IANA zone; the browser's without it
   */
  time(milliseconds, zone) {
    const hour = hours === "12" ? "numeric" : "2-digit";
    return this.#clock(hours, zone, { hour, minute: "2-digit", hourCycle: hours === "12" ? "h12" : "h23" }).format(milliseconds);
  }

  /**
   * Return an instant's day: "Monday, 3 March".
   *
   * @param {number} milliseconds
   * @param {string} [zone]
   */
  day(milliseconds, zone) {
    return this.#clock("day", zone, { weekday: "long", day: "numeric", month: "long" }).format(milliseconds);
  }

  /**
   * @param {string} kind
   * @param {string | undefined} zone
   * @param {Intl.DateTimeFormatOptions} options
   */
  #clock(kind, zone, options) {
    const key = `${kind}/${zone}`;
    let found = this.#clocks.get(key);
    if (found === undefined) {
      found = new Intl.DateTimeFormat(this.#format, { ...options, timeZone: zone });
      this.#clocks.set(key, found);
    }
    return found;
  }

  /**
   * Translate the fixed texts of a page or of a part. `data-text` has the key of an element's text, `data-name` of its
   * accessible name, `data-alt` of a picture's description. The HTML has the English texts, so that a page shows texts
   * before, or without, this function.
   *
   * @param {ParentNode} root
   */
  translate(root) {
    for (const each of root.querySelectorAll("[data-text]")) each.textContent = this.text(each.getAttribute("data-text") ?? "");
    for (const each of root.querySelectorAll("[data-name]")) {
      each.setAttribute("aria-label", this.text(each.getAttribute("data-name") ?? ""));
    }
    for (const each of root.querySelectorAll("[data-alt]")) each.setAttribute("alt", this.text(each.getAttribute("data-alt") ?? ""));
  }
}

/** The page's. */
let locale = new Locale(DEFAULT, {});
let loaded = false;
/** The languages of the reader, best first: those that were wanted before the page's, and the page's. */
let reading = [DEFAULT];

/** Return the tag of the page's language. */
export const currentLanguage = () => locale.tag;

/** Return whether a language is written from right to left. @param {string} [tag]  the page's language without it */
export const isRightToLeft = (tag = locale.tag) => RIGHT_TO_LEFT.has(tag);

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
  reading = readingOf(wanted);
  if (next === locale.tag && loaded) return false;
  locale = await loadLocale(wanted);
  loaded = true;
  Object.assign(document.documentElement, { lang: locale.tag, dir: locale.direction });
  locale.translate(document);
  return true;
}

/**
 * Return the first language that has a locale, for a part of the page that another person reads.
 *
 * @param {readonly string[]} wanted  language tags, best first
 */
export async function loadLocale(wanted) {
  const tag = firstSupported(wanted);
  return new Locale(tag, await loadTexts(tag));
}

/**
 * Return the languages of a reader, best first: those that are wanted before the first with a locale, and this one. Names
 * can be in languages without a locale.
 *
 * @param {readonly string[]} wanted
 * @returns {string[]}
 */
export function readingOf(wanted) {
  const place = wanted.findIndex((tag) => lookup([tag], LANGUAGES) !== null);
  return [...wanted.slice(0, place < 0 ? undefined : place + 1), firstSupported(wanted)];
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

/** Return whether the page's language has a text. @param {string} key */
export const hasText = (key) => locale.has(key);

/**
 * Return a text in the page's language, as `Locale.text`.
 *
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export const t = (key, values) => locale.text(key, values);

/** Return a number as the page's language writes it. @param {number} value */
export const formatNumber = (value) => locale.number(value);

/**
 * Write all times with the clock of a site.
 *
 * @param {"12" | "24" | undefined} clock  as its cell has it; undefined changes nothing
 */
export function useClock(clock) {
  hours = clock ?? hours;
}

/** Return a time of day in the page's language, as `Locale.time`. @param {number} milliseconds @param {string} [zone] */
export const formatTime = (milliseconds, zone) => locale.time(milliseconds, zone);

/** Return a day in the page's language, as `Locale.day`. @param {number} milliseconds @param {string} [zone] */
export const formatDay = (milliseconds, zone) => locale.day(milliseconds, zone);
