/** The modes that a person in front of the kiosk chooses. Nothing remembers them: the next person starts without. */

/** @typedef {"large" | "contrast" | "spoken" | "low"} Mode */

const MODES = /** @type {const} */ (["large", "contrast", "spoken", "low"]);

export class Modes {
  /** @type {Set<Mode>} */
  #chosen = new Set();
  #low = false;

  /** Whether the person has changed something. */
  get changed() {
    return this.has("large") || this.has("contrast") || this.has("spoken") || this.has("low") !== this.#low;
  }

  /** Whether a mode is on. @param {Mode} mode */
  has(mode) {
    return this.#chosen.has(mode);
  }

  /** Turn a mode on or off. @param {Mode} mode */
  toggle(mode) {
    if (!this.#chosen.delete(mode)) this.#chosen.add(mode);
    this.show();
  }

  /** Take the modes of the kiosk itself. @param {boolean} low */
  reset(low = this.#low) {
    this.#low = low;
    this.#chosen = new Set(low ? ["low"] : []);
    this.show();
  }

  /** The kiosk's own setting has changed. It counts now unless a person has chosen otherwise. @param {boolean} low */
  setLow(low) {
    if (this.#low === low) return;
    if (this.has("low") === this.#low) this.toggle("low");
    this.#low = low;
  }

  /** Show the modes: in the root's data for the styles, and on their buttons. */
  show() {
    const root = document.documentElement;
    for (const mode of MODES) {
      if (this.has(mode)) root.dataset[mode] = "";
      else delete root.dataset[mode];
      document.querySelector(`[data-mode="${mode}"]`)?.setAttribute("aria-pressed", String(this.has(mode)));
    }
  }
}
