import { isOutdated, reloadNewVersion } from "../shared/version.js";

const QUIET_MS = 20_000; // after a call, the time that people need to read it

/** Updates the page when the server has a newer version, at a moment when it disturbs nobody. */
export class VersionCheck {
  #screen;
  #outdated = false;

  /** @param {import("./screen.js").DisplayScreen} screen */
  constructor(screen) {
    this.#screen = screen;
  }

  /** Ask the server whether it has another version. */
  async check() {
    this.#outdated = await isOutdated();
  }

  /** Reload an outdated page if it is live and no call is being announced or read. */
  updateWhenQuiet() {
    const { connection, speaker, lastCallAt } = this.#screen;
    if (this.#outdated && connection.state === "live" && !speaker.busy && Date.now() - lastCallAt > QUIET_MS) {
      this.#outdated = false;
      void reloadNewVersion();
    }
  }
}
