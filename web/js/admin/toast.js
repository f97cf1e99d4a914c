import { errorMessage } from "../desk/error-messages.js";
import { find, setText } from "../shared/dom.js";

const SHOWN_MS = 30_000;

/** The line at the foot of the page that says what has happened, with a way to undo it. */
export class Toast {
  #box = find("[data-toast]");
  #undoButton = find("[data-toast-undo]");
  /** @type {(() => Promise<unknown>) | null} */
  #undo = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** The change on its way, which offers its undo at its end. @type {Promise<unknown>} */
  #change = Promise.resolve();
  #changes = 0;

  constructor() {
    this.#undoButton.addEventListener("click", () => void this.#press());
    find("[data-toast-close]").addEventListener("click", () => this.hide());
    // A person who reads it or has reached its button keeps it.
    for (const event of ["pointerenter", "focusin"]) this.#box.addEventListener(event, () => clearTimeout(this.#timer));
    for (const event of ["pointerleave", "focusout"]) this.#box.addEventListener(event, () => this.#wait());
    document.addEventListener("keydown", (event) => {
      const typing = event.target instanceof Element && event.target.matches("input:not([type=checkbox], [type=radio]), textarea");
      if (event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey || typing || (this.#undo === null && this.#changes === 0)) return;
      event.preventDefault();
      void this.#change.then(() => this.#press());
    });
  }

  /**
   * Return the result of a change. A user who presses the key of the undo meanwhile means this change.
   *
   * @template T
   * @param {Promise<T>} change  ends after it has shown its undo
   * @returns {Promise<T>}
   */
  async during(change) {
    this.#changes += 1;
    this.#change = change.catch(() => undefined);
    try {
      return await change;
    } finally {
      this.#changes -= 1;
    }
  }

  /**
   * @param {string} text
   * @param {(() => Promise<unknown>) | null} undo
   * @param {boolean} [wrong]
   */
  show(text, undo, wrong = false) {
    this.#undo = undo;
    this.#box.hidden = false;
    this.#box.classList.toggle("is-wrong", wrong);
    this.#undoButton.hidden = undo === null;
    setText(find("[data-toast-text]"), text);
    this.#wait();
  }

  hide() {
    clearTimeout(this.#timer);
    this.#undo = null;
    if (this.#box.contains(document.activeElement)) find("#section").focus({ preventScroll: true });
    this.#box.hidden = true;
    setText(find("[data-toast-text]"), "");
  }

  #wait() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.hide(), SHOWN_MS);
  }

  async #press() {
    const undo = this.#undo;
    if (undo === null) return;
    this.#undo = null;
    try {
      await undo();
    } catch (error) {
      this.show(errorMessage(error), null, true);
    }
  }
}
