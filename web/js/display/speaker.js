import { firstSupported, loadTexts } from "../shared/i18n.js";
import { request } from "../shared/request.js";

/**
 * @typedef {import("./announcer.js").Call} Call
 * @typedef {import("../shared/sound.js").Sound} Sound
 */

const ASKING_MS = 8_000;
const SAYING_MS = 15_000;
const PAUSE_MS = 350;

/**
 * Lets calls be heard one after the other: a chime, then the words, in the site's language and, where that is another, in
 * the patient's. The server speaks if it has a voice, else the browser if it has one; else the chime has to do.
 */
export class Speaker extends EventTarget {
  /** @type {Call[]} */
  #waiting = [];
  #busy = false;
  #sound;
  #ask;
  #isOpen;
  #language = "en";

  /**
   * @param {Sound} sound
   * @param {object} means
   * @param {(call: Call | null, language: string) => Promise<ArrayBuffer | null>} means.ask  the server's voice
   * @param {(call: Call) => boolean} means.isOpen  whether it would still help to say it
   */
  constructor(sound, { ask, isOpen }) {
    super();
    this.#sound = sound;
    this.#ask = ask;
    this.#isOpen = isOpen;
  }

  /** Whether something is being said, or waits to be. */
  get busy() {
    return this.#busy;
  }

  /** @param {string} tag  of the site's language */
  set language(tag) {
    this.#language = firstSupported([tag]);
  }

  /** @param {readonly Call[]} calls */
  say(calls) {
    this.#waiting.push(...calls);
    void this.#work();
  }

  /** Ring and say a sentence, so that somebody can hear how loud it is. */
  async test() {
    if (this.#busy) return;
    this.#busy = true;
    const file = this.#asked(null, this.#language);
    await this.#sound.ring();
    await this.#speak(await file, this.#language, (texts) => texts["speech.test"] ?? "");
    this.#busy = false;
    void this.#work();
  }

  async #work() {
    if (this.#busy) return;
    this.#busy = true;
    for (let call = this.#waiting.shift(); call !== undefined; call = this.#waiting.shift()) {
      // What cannot be heard is not saved up: a screen whose sound comes back must not recite the morning.
      if (this.#sound.ready && this.#isOpen(call)) await this.#announce(call);
    }
    this.#busy = false;
  }

  /** @param {Call} call */
  async #announce(call) {
    const languages = [...new Set([this.#language, firstSupported([call.language, this.#language])])];
    // Asked for while it rings: then the words follow at once.
    const files = languages.map((language) => this.#asked(call, language));
    await this.#sound.ring();
    for (const [index, language] of languages.entries()) {
      const file = await files[index];
      await this.#speak(file ?? null, language, (texts) => fillCall(texts["speech.call"] ?? "", call));
      await pause();
    }
  }

  /**
   * @param {ArrayBuffer | null} file
   * @param {string} language
   * @param {(texts: Record<string, any>) => string} words
   */
  async #speak(file, language, words) {
    if (file !== null && (await this.#sound.play(file))) return;
    const voice = await ownVoice(language);
    if (voice === null) return;
    const texts = await loadTexts(language).catch(() => null);
    if (texts !== null) await utter(words(texts), voice);
  }

  /**
   * @param {Call | null} call
   * @param {string} language
   * @returns {Promise<ArrayBuffer | null>}
   */
  #asked(call, language) {
    return this.#ask(call, language).catch(() => null);
  }
}

/**
 * Return how to ask the server for its voice, for one display.
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

/**
 * Fill in a call: a ticket is said letter by letter, figure by figure.
 *
 * @param {string} text
 * @param {Call} call
 */
export const fillCall = (text, { label, point }) =>
  text.replace("{label}", () => [...label].join(" ")).replace("{point}", () => point);

const VOICES_MS = 1_000;

/**
 * Return the browser's own voice for a language, or null. It may take a moment to know its voices.
 *
 * @param {string} language
 * @returns {Promise<SpeechSynthesisVoice | null>}
 */
async function ownVoice(language) {
  const synthesis = globalThis.speechSynthesis;
  if (synthesis === undefined) return null;
  const find = () => synthesis.getVoices().find(({ lang }) => lang.toLowerCase().startsWith(language)) ?? null;
  if (synthesis.getVoices().length === 0) {
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, VOICES_MS);
      synthesis.addEventListener("voiceschanged", () => (clearTimeout(timer), resolve(null)), { once: true });
    });
  }
  return find();
}

/**
 * @param {string} text
 * @param {SpeechSynthesisVoice} voice
 * @returns {Promise<void>}
 */
function utter(text, voice) {
  return new Promise((resolve) => {
    const words = new SpeechSynthesisUtterance(text);
    words.voice = voice;
    words.lang = voice.lang;
    words.rate = 0.9;
    const timer = setTimeout(() => (speechSynthesis.cancel(), resolve()), SAYING_MS);
    words.onend = words.onerror = () => {
      clearTimeout(timer);
      resolve();
    };
    speechSynthesis.speak(words);
  });
}

const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
