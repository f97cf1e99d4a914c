import { isFromServer, request } from "../shared/request.js";

export const ASK_MS = 700;
export const LIMIT_MS = 1_000; // with the pause before and a second question, a dead network is known within 2.7 seconds

/**
 * Knows at once whether the server answers. The stream notices a dead network only after some heartbeats, and a kiosk must
 * promise nothing by then. Event: `change`.
 */
export class Reach extends EventTarget {
  /** Whether the server has answered the last question. */
  ok = true;

  /** Ask without end. */
  start() {
    addEventListener("offline", () => this.#set(false));
    const again = async () => {
      await this.ask();
      setTimeout(() => void again(), ASK_MS);
    };
    void again();
  }

  /** Ask now. */
  async ask() {
    const ask = async () => {
      const answer = await request(location.pathname, { method: "HEAD", cache: "no-store" }, LIMIT_MS).catch(() => null);
      return answer !== null && answer.ok && isFromServer(answer);
    };
    this.#set((await ask()) || (await ask())); // one packet may be lost
  }

  /** @param {boolean} ok */
  #set(ok) {
    if (this.ok === ok) return;
    this.ok = ok;
    this.dispatchEvent(new Event("change"));
  }
}
