/** Asks the API. A newer question aborts the older, and none is waited for longer than half a minute. */

const LIMIT_MS = 30_000;

export class LatestRequest {
  /** @type {AbortController | null} */
  #asking = null;

  /**
   * Return the answer, or null if a newer question came in between. Throws what `fetch` does, and for any status but 200.
   *
   * @param {string} address
   * @returns {Promise<any>}
   */
  async ask(address) {
    this.#asking?.abort();
    const asking = (this.#asking = new AbortController());
    const timer = setTimeout(() => asking.abort(), LIMIT_MS);
    try {
      const answer = await fetch(address, { signal: asking.signal });
      if (!answer.ok) throw new Error(`${address} answered ${answer.status}`);
      return await answer.json();
    } catch (error) {
      if (this.#asking !== asking) return null;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Nobody wants to know any more. */
  drop() {
    this.#asking?.abort();
    this.#asking = null;
  }
}
