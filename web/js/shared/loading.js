const FIRST_MS = 1_000;
const LAST_MS = 30_000;

/**
 * Load a module that a page needs although nobody asks for it: after a failure try again, until it is here.
 *
 * @template T
 * @param {() => Promise<T>} load
 * @param {(milliseconds: number) => Promise<void>} [pause]
 * @returns {Promise<T>}
 */
export async function loadInTheEnd(load, pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds))) {
  for (let wait = FIRST_MS; ; wait = Math.min(2 * wait, LAST_MS)) {
    try {
      return await load();
    } catch {
      await pause(wait);
    }
  }
}
