/** What whoever is signed in may do on a page: what they may not is not offered. The server has the last word. */

/** Actions of a page that are no commands: what has to be allowed for each, or null where nothing has. */
const NEEDED = new Map([
  ["keys", null],
  ["search", null],
  ["more", "amend-visit"],
  ["print", "read-slip"],
]);

/**
 * Return a test of the names of actions, a page's or a command's.
 *
 * @param {import("../session.js").User} user
 * @returns {(action: string) => boolean}
 */
export function rightsOf({ may }) {
  const allowed = new Set(may);
  return (action) => {
    const needed = NEEDED.has(action) ? NEEDED.get(action) : action;
    return needed == null || allowed.has(needed);
  };
}

/**
 * Hide the buttons (`data-action`, or `data-needs` where that says more) of what may not be done.
 *
 * @param {Document | HTMLElement} page
 * @param {(action: string) => boolean} may
 */
export function offerWhatIsAllowed(page, may) {
  for (const part of /** @type {NodeListOf<HTMLElement>} */ (page.querySelectorAll("[data-action], [data-needs]"))) {
    if (!may(part.dataset.needs ?? part.dataset.action ?? "")) part.hidden = true;
  }
}
