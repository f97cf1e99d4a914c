import { setText } from "../shared/dom.js";
import { browserVoice, utter } from "../shared/speech.js";

const LONGEST_MS = 30_000;

/** Reads the screen aloud, with the browser's voice. */
export class Reader {
  /** @type {SpeechSynthesisVoice | null} */
  #voice = null;
  #language = "";
  #on = false;
  #said = "";

  /** Whether the browser has a voice for the page's language. */
  get able() {
    return this.#voice !== null;
  }

  /** Find the voice of a language. @param {string} language */
  async find(language) {
    if (language === this.#language) return;
    this.#language = language;
    this.#voice = null;
    const voice = await browserVoice(language);
    if (language === this.#language) this.#voice = voice;
  }

  /** Turn the voice on or off. @param {boolean} on */
  turn(on) {
    this.#on = on;
    this.#said = "";
    if (!on) globalThis.speechSynthesis?.cancel();
  }

  /** Say a text, unless it was the last one. @param {string} text */
  say(text) {
    if (!this.#on || this.#voice === null || text === this.#said) return;
    this.#said = text;
    speechSynthesis.cancel();
    void utter(text, this.#voice, LONGEST_MS);
  }
}

/**
 * Return the words of the part of a page that is shown: texts and buttons, from top to bottom.
 *
 * @param {Element} part
 */
export function wordsOf(part) {
  const found = [...part.querySelectorAll("h1, h2, p, button, label")].filter((each) => each.checkVisibility());
  return found
    .map((each) => (each.getAttribute("aria-label") ?? each.textContent ?? "").replace(/\s+/g, " ").trim())
    .filter(Boolean)
    .map((text) => (/[.?!…؟]$/.test(text) ? text : `${text}.`))
    .join(" ");
}

/** Tell a screen reader what the screen shows now. @param {Element} region @param {Element} part */
export const announce = (region, part) => setText(region, wordsOf(part));
