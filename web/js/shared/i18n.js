/**
 * The language of the page. `web/locales` has every visible text, in one JSON file for each language. The folder
 * `web/locales/admin` has the texts that only the administrator's pages need. A new language needs its files, and its tag
 * and name here.
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
export const FORMATS = { en: "en-GB", ar: "ar-u-nu-latn" };

const MINUTE_MS = 60_000;

/** The hours of the site's clock. */
let hours = "24";

/** @typedef {{since: number, minutes: number}} OffsetSince  an offset from UTC, and the instant from which it counts */

/** What the server says of each zone. @type {Map<string, readonly OffsetSince[]>} */
const offsets = new Map();

/**
 * Note the offsets of a zone, as the server knows them: the zone data of a device may be old.
 *
 * @param {{time_zone?: string, offsets?: readonly OffsetSince[]} | undefined} told  a cell or an answer of the server
 */
export function learnOffsets(told) {
  if (told?.time_zone !== undefined && told.offsets !== undefined) offsets.set(told.time_zone, told.offsets);
}

/**
 * Return how far a zone is ahead of UTC at an instant, in minutes. Undefined if the server has not told it.
 *
 * @param {string | undefined} zone
 * @param {number} milliseconds
 */
export const offsetAt = (zone, milliseconds) => offsets.get(zone ?? "")?.findLast(({ since }) => since <= milliseconds)?.minutes;

/** The texts of one language, and its way to write numbers and times. */
export class Locale {
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

  /** Add texts. @param {Record<string, Entry>} texts */
  add(texts) {
    this.#texts = { ...this.#texts, ...texts };
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
   * Isolate a value (by Unicode's isolates) in a right-to-left text: "Room 3" in an Arabic sentence runs the other way. A value
   * with isolates is a text of this language itself. It needs its direction, which nothing outside of its isolates shows.
   *
   * @param {string} value
   */
  #isolated(value) {
    return this.direction === "rtl" && value !== "" ? `${value.includes("\u2068") ? "\u2067" : "\u2068"}${value}\u2069` : value;
  }

  /** Return a number as the language writes it. @param {number} value */
  number(value) {
    return this.#numbers.format(value);
  }

  /**
   * Return an instant as hours and minutes, on the site's clock: "14:40" or "2:40 pm".
   *
   * @param {number} milliseconds
   * @param {string} [zone]  an IANA zone, by the offsets that the server has told; the browser's zone without it
   */
  time(milliseconds, zone) {
    const hour = hours === "12" ? "numeric" : "2-digit";
    return this.#shown(hours, milliseconds, zone, { hour, minute: "2-digit", hourCycle: hours === "12" ? "h12" : "h23" });
  }

  /**
   * Return an instant's day: "Monday, 3 March".
   *
   * @param {number} milliseconds
   * @param {string} [zone]
   */
  day(milliseconds, zone) {
    return this.#shown("day", milliseconds, zone, { weekday: "long", day: "numeric", month: "long" });
  }

  /**
   * @param {string} kind
   * @param {number} milliseconds
   * @param {string | undefined} zone
   * @param {Intl.DateTimeFormatOptions} options
   */
  #shown(kind, milliseconds, zone, options) {
    const offset = offsetAt(zone, milliseconds);
    if (offset === undefined) return this.#clock(kind, zone, options).format(milliseconds);
    return this.#clock(kind, "UTC", options).format(milliseconds + offset * MINUTE_MS);
  }

  /** Return an instant's day of the week, short: "Mon". @param {number} milliseconds @param {string} [zone] */
  weekday(milliseconds, zone) {
    return this.#clock("weekday", zone, { weekday: "short" }).format(milliseconds);
  }

  /** Return an instant's date, short: "3 Mar". @param {number} milliseconds @param {string} [zone] */
  date(milliseconds, zone) {
    return this.#clock("date", zone, { day: "numeric", month: "short" }).format(milliseconds);
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

/** Translate the fixed texts of a part of the page. @param {ParentNode} part */
export const translate = (part) => locale.translate(part);

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

/** The folders of `web/locales` whose texts the page has besides the common ones. @type {Set<string>} */
const parts = new Set();

/**
 * Add the texts of a folder of `web/locales` to the page. Call it before the page loads its language.
 *
 * @param {string} part
 */
export const addTexts = (part) => void parts.add(part);

/**
 * Load the texts of a folder of `web/locales`, for a part of the page that opens later. Throws what `fetch` throws.
 *
 * @param {string} part
 */
export async function loadPart(part) {
  if (parts.has(part)) return;
  const texts = await loadFiles([`${part}/`], locale.tag);
  parts.add(part);
  loading.clear();
  locale.add(texts);
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
    found = loadFiles(["", ...Array.from(parts, (part) => `${part}/`)], tag);
    found.catch(() => loading.delete(tag));
    loading.set(tag, found);
  }
  return found;
}

/**
 * @param {string[]} folders
 * @param {string} tag
 * @returns {Promise<Record<string, Entry>>}
 */
async function loadFiles(folders, tag) {
  const files = folders.map((folder) => new URL(`../../locales/${folder}${tag}.json`, import.meta.url).href);
  const texts = await Promise.all(files.map((file) => request(file).then((answer) => answer.json())));
  return Object.assign({}, ...texts);
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

/** Return a day of the week in the page's language, as `Locale.weekday`. @param {number} milliseconds @param {string} [zone] */
export const formatWeekday = (milliseconds, zone) => locale.weekday(milliseconds, zone);

/** Return a short date in the page's language, as `Locale.date`. @param {number} milliseconds @param {string} [zone] */
export const formatDate = (milliseconds, zone) => locale.date(milliseconds, zone);
