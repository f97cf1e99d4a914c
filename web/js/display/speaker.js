import { firstSupported, loadTexts, nameIn } from "../shared/i18n.js";
import { lookup } from "../shared/languages.js";
import { request } from "../shared/request.js";
import { browserVoice, utter } from "../shared/speech.js";

/**
 * @typedef {import("../components/announcer.js").Call} Call
 * @typedef {import("../shared/sound.js").Sound} Sound
 */

const ASKING_MS = 8_000;
const PAUSE_MS = 350;
const RECALL_PAUSE_MS = 10_000;

/**
 * Announces calls one after the other: the chime, then the words in the site's language and, if it is another, in the
 * patient's. The server's voice speaks, or else the browser's. Without either there is only the chime.
 *
 * A recall replaces a call of the same entry that still waits. After an announcement, its recalls wait for a moment, and
 * other calls go first: a point that recalls again and again does not delay the calls of others.
 */
export class Speaker extends EventTarget {
  /** @type {Call[]} */
  #waiting = [];
  /** When the announcements ended whose recalls still have to wait, by entry and point. @type {Map<string, number>} */
  #spokenAt = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #recallPauseMs;
  #busy = false;
  #sound;
  #ask;
  #isOpen;
  #tag = "en";

  /**
   * @param {Sound} sound
   * @param {object} means
   * @param {(call: Call | null, language: string) => Promise<ArrayBuffer | null>} means.ask  returns the server's voice as
   *   a sound file, or null
   * @param {(call: Call) => boolean} means.isOpen  whether the call is still open
   * @param {number} [means.recallPauseMs]  from an announcement to the next one of the same entry and point
   */
  constructor(sound, { ask, isOpen, recallPauseMs = RECALL_PAUSE_MS }) {
    super();
    this.#sound = sound;
    this.#ask = ask;
    this.#isOpen = isOpen;
    this.#recallPauseMs = recallPauseMs;
  }

  /** Whether an announcement is in progress or waits. */
  get busy() {
    return this.#busy || this.#waiting.length > 0;
  }

  /** The site's language. @param {string} tag */
  set language(tag) {
    this.#tag = tag;
  }

  get #language() {
    return firstSupported([this.#tag]);
  }

  /** Announce calls after those that wait already. @param {readonly Call[]} calls */
  say(calls) {
    for (const call of calls) {
      const at = this.#waiting.findIndex(({ entry }) => entry === call.entry);
      if (at < 0) this.#waiting.push(call);
      else this.#waiting[at] = call;
    }
    void this.#announceAll();
  }

  /** Play the chime and a sentence, to test the loudness. */
  async test() {
    if (this.#busy) return;
    this.#busy = true;
    const file = this.#request(null, this.#language);
    await this.#sound.ring();
    await this.#speak(await file, this.#language, (texts) => texts["speech.test"] ?? "");
    this.#busy = false;
    void this.#announceAll();
  }

  async #announceAll() {
    if (this.#busy) return;
    this.#busy = true;
    clearTimeout(this.#timer);
    for (let call = this.#next(); call !== undefined; call = this.#next()) {
      // Drop calls while there is no sound: a display whose sound comes back must not announce the whole morning.
      if (!this.#sound.ready || !this.#isOpen(call)) continue;
      await this.#announce(call);
      this.#spokenAt.set(voiceKey(call), performance.now());
    }
    this.#busy = false;
    if (this.#waiting.length === 0) return;
    const pauses = this.#waiting.map((call) => this.#pauseBefore(call));
    this.#timer = setTimeout(() => void this.#announceAll(), Math.min(...pauses));
  }

  /** Remove and return the first waiting call that need not wait longer. */
  #next() {
    const at = this.#waiting.findIndex((call) => this.#pauseBefore(call) <= 0);
    return at < 0 ? undefined : this.#waiting.splice(at, 1)[0];
  }

  /**
   * Return for how long a call still has to wait, in milliseconds.
   *
   * @param {Call} call
   */
  #pauseBefore(call) {
    const key = voiceKey(call);
    const spokenAt = this.#spokenAt.get(key);
    const left = spokenAt === undefined ? 0 : spokenAt + this.#recallPauseMs - performance.now();
    if (left <= 0) this.#spokenAt.delete(key);
    return left;
  }

  /** @param {Call} call */
  async #announce(call) {
    const languages = [...new Set([this.#language, firstSupported([call.language, this.#language])])];
    // Request the voice during the chime, so that the words follow at once.
    const files = languages.map((language) => this.#request(call, language));
    await this.#sound.ring();
    for (const [index, language] of languages.entries()) {
      const file = await files[index];
      await this.#speak(file ?? null, language, (texts) => fillCall(texts, this.#named(call, language)));
      await pause();
    }
  }

  /**
   * Return a call with the point's name in a language that is spoken. The tag of the patient or the site may be longer.
   *
   * @param {Call} call
   * @param {string} language
   * @returns {Call}
   */
  #named(call, language) {
    const wanted = [call.language, this.#tag].filter((tag) => lookup([tag], [language]) !== null);
    return { ...call, point: nameIn(call.point, call.names, [...wanted, language]) };
  }

  /**
   * @param {ArrayBuffer | null} file
   * @param {string} language
   * @param {(texts: Record<string, any>) => string} words
   */
  async #speak(file, language, words) {
    if (file !== null && (await this.#sound.play(file))) return;
    const voice = await browserVoice(language);
    if (voice === null) return;
    const texts = await loadTexts(language).catch(() => null);
    if (texts !== null) await utter(words(texts), voice);
  }

  /**
   * @param {Call | null} call
   * @param {string} language
   * @returns {Promise<ArrayBuffer | null>}
   */
  #request(call, language) {
    return this.#ask(call, language).catch(() => null);
  }
}

/**
 * Return the function that requests the server's voice for a display.
 *
 * @param {string} id
 * @param {() => string} token
 * @returns {(call: Call | null, language: string) => Promise<ArrayBuffer | null>}
 */
export function serverVoice(id, token) {
  return async (call, language) => {
    const query = new URLSearchParams({ language });
    if (call !== null) query.set("entry", String(call.entry));
    const headers = { Authorization: `Bearer ${token()}` };
    const answer = await request(`/api/v1/displays/${id}/speech?${query}`, { headers, cache: "no-store" }, ASKING_MS);
    return answer.status === 200 ? answer.arrayBuffer() : null;
  };
}

const FIRST_LETTER = "A".charCodeAt(0);

/**
 * Return the sentence of a call. The ticket is spelled out: names of letters, as on the server, and single figures.
 *
 * @param {Record<string, any>} texts  of one language
 * @param {Pick<Call, "label" | "point">} call
 * @returns {string}
 */
export function fillCall(texts, { label, point }) {
  const names = String(texts["speech.letters"] ?? "").split(", ");
  const spelled = [...label].map((each) => names[each.charCodeAt(0) - FIRST_LETTER] ?? each).join(" ");
  return String(texts["speech.call"] ?? "").replace("{label}", () => spelled).replace("{point}", () => point);
}

/** @param {Call} call */
const voiceKey = ({ entry, point }) => `${entry} ${point}`;

const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
