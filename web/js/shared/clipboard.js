/**
 * Copy a text. Returns whether the browser did: it has no clipboard for a page without TLS, or for a reader who forbids it.
 *
 * @param {string} text
 * @returns {Promise<boolean>}
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
