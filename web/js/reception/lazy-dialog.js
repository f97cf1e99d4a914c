/** Dialogs that are fetched when they are first opened, or when the page has nothing better to do: most are seldom needed. */

/**
 * @template {{open: (...args: any[]) => void}} T
 * @param {() => Promise<T>} make  fetches its module, and makes it; is tried again if that failed
 * @param {() => void} failed      told when it cannot be fetched now
 */
export function lazyDialog(make, failed) {
  /** @type {Promise<T> | null} */
  let made = null;
  /** Have it here. Throws what `import` throws. */
  const here = () => {
    made ??= make();
    made.catch(() => (made = null));
    return made;
  };
  return {
    here,
    /** @param {Parameters<T["open"]>} args */
    async open(...args) {
      const dialog = await here().catch(() => null);
      if (dialog === null) failed();
      // Somebody quicker than the network has opened another one meanwhile: two at once is none.
      else if (document.querySelector("dialog[open]") === null) dialog.open(...args);
    },
  };
}
