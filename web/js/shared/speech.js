/** The voices of the browser. Not every browser has one, and not for every language. */

import { lookup } from "./languages.js";

const SAYING_MS = 15_000;
const VOICES_MS = 1_000;

/**
 * Return the browser's voice for a language, or null. A browser may need a moment to load its voices.
 *
 * @param {string} language
 * @returns {Promise<SpeechSynthesisVoice | null>}
 */
export async function browserVoice(language) {
  const synthesis = globalThis.speechSynthesis;
  if (synthesis === undefined) return null;
  const find = () => synthesis.getVoices().find(({ lang }) => lookup([lang.replaceAll("_", "-")], [language]) !== null) ?? null;
  if (synthesis.getVoices().length === 0) {
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, VOICES_MS);
      synthesis.addEventListener("voiceschanged", () => (clearTimeout(timer), resolve(null)), { once: true });
    });
  }
  return find();
}

/**
 * Say a text. Resolves when it has ended, or after the limit.
 *
 * @param {string} text
 * @param {SpeechSynthesisVoice} voice
 * @param {number} [limitMs]
 * @returns {Promise<void>}
 */
export function utter(text, voice, limitMs = SAYING_MS) {
  return new Promise((resolve) => {
    const words = new SpeechSynthesisUtterance(text);
    words.voice = voice;
    words.lang = voice.lang;
    words.rate = 0.9;
    const timer = setTimeout(() => (speechSynthesis.cancel(), resolve()), limitMs);
    words.onend = words.onerror = () => {
      clearTimeout(timer);
      resolve();
    };
    speechSynthesis.speak(words);
  });
}
