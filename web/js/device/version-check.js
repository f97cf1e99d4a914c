import { isOutdated, reloadNewVersion } from "../shared/version.js";

/** Updates the page of a device when the server has a newer version, at a moment when it disturbs nobody. */
export class VersionCheck {
  #isQuiet;
  #outdated = false;

  /** @param {() => boolean} isQuiet  whether a reload disturbs nobody now */
  constructor(isQuiet) {
    this.#isQuiet = isQuiet;
  }

  /** Ask the server whether it has another version. */
  async check() {
    this.#outdated = await isOutdated();
  }

  /** Reload an outdated page if that disturbs nobody. */
  updateWhenQuiet() {
    if (!this.#outdated || !this.#isQuiet()) return;
    this.#outdated = false;
    void reloadNewVersion();
  }
}
