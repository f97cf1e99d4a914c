/**
 * Longer than the pauses between the keys of any scanner, also of a slow one on a busy computer. The text before such a pause is
 * a scan without an end.
 */
export const PAUSE_MS = 5_000;
const LEAST = 4;

/** Collects the keys of a scanner to the text of its code: pure, without a page. */
export class ScannedText {
  #text = "";
  #last = -Infinity;

  /**
   * Take a key. Returns the text if the key ends a code, or null.
   *
   * @param {string} key  as in a `KeyboardEvent`
   * @param {number} at  the instant of the key in milliseconds
   * @returns {string | null}
   */
  take(key, at) {
    if (at - this.#last > PAUSE_MS) this.#text = "";
    this.#last = at;
    if (key === "Enter") {
      const text = this.#text;
      this.#text = "";
      return text.length >= LEAST ? text : null;
    }
    if (key.length === 1 && key !== " ") this.#text += key; // with a space, people press a button
    return null;
  }
}

/**
 * Follow a scanner that types like a keyboard, and ends with Enter: its code needs no touch.
 *
 * @param {(code: string) => void} scanned
 */
export function followScanner(scanned) {
  const text = new ScannedText();
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const code = text.take(event.key, event.timeStamp);
      if (code === null) return;
      event.preventDefault(); // Enter must not press a button too
      scanned(code);
    },
    { capture: true },
  );
}
