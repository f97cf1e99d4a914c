/**
 * The values that this browser remembers between visits. A browser that allows no storage remembers nothing, without an
 * error.
 */

/**
 * Return a remembered value, or null.
 *
 * @param {string} name
 * @returns {string | null}
 */
export function recall(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
export function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // private mode, or the storage is full
  }
}

/** @param {string} name */
export function forget(name) {
  try {
    localStorage.removeItem(name);
  } catch {
    // private mode
  }
}
