/**
 * A dialog whose module loads when it is first opened.
 *
 * @template {{open: (...args: any[]) => void}} T
 * @param {() => Promise<T>} make  loads the module and makes the dialog; called again after a failure
 * @param {() => void} onFailure   called when the dialog cannot open, because its module does not load
 */
export function lazyDialog(make, onFailure) {
  /** @type {Promise<T> | null} */
  let made = null;
  /** Load the dialog without opening it. Throws what `import` throws. */
  const load = () => {
    made ??= make();
    made.catch(() => (made = null));
    return made;
  };
  return {
    load,
    /** @param {Parameters<T["open"]>} args */
    async open(...args) {
      const dialog = await load().catch(() => null);
      if (dialog === null) onFailure();
      // The user may have opened another dialog during the download: two at once confuse.
      else if (document.querySelector("dialog[open]") === null) dialog.open(...args);
    },
  };
}

/**
 * Load a module, and beside it a file of `web/markup` with the elements that the module needs. Throws what `import` throws.
 *
 * @template T
 * @param {string} name
 * @param {Promise<T>} module
 * @returns {Promise<T>}
 */
export async function withMarkup(name, module) {
  const markup = import("../shared/markup.js").then(({ loadMarkup }) => loadMarkup(name));
  return (await Promise.all([module, markup]))[0];
}
