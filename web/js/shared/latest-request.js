/** Reads from the API. A new request aborts the previous one, and every request ends after half a minute. */

const LIMIT_MS = 30_000;

export class LatestRequest {
  /** @type {AbortController | null} */
  #current = null;

  /**
   * Return the answer, or null if a newer request or `cancel` replaced this one. Throws what `fetch` throws, and an error
   * for any status but 2xx.
   *
   * @param {string} address
   * @returns {Promise<any>}
   */
  async get(address) {
    this.#current?.abort();
    const current = (this.#current = new AbortController());
    const timer = setTimeout(() => current.abort(), LIMIT_MS);
    try {
      const answer = await fetch(address, { signal: current.signal });
      if (!answer.ok) throw new Error(`${address} answered ${answer.status}`);
      return await answer.json();
    } catch (error) {
      if (this.#current !== current) return null;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Abort the request in progress. */
  cancel() {
    this.#current?.abort();
    this.#current = null;
  }
}
