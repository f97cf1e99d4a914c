/** What whoever is signed in may do on a page: what they may not is not offered. The server has the last word. */

/**
 * Return a test of the names of actions.
 *
 * @param {import("../shared/session.js").User} user
 * @returns {(action: string) => boolean}
 */
export function permissionsOf({ may }) {
  const allowed = new Set(may);
  return (action) => allowed.has(action);
}

/**
 * Hide what is for an action that may not be done: `data-action`, or `data-needs` where that is another.
 *
 * @param {Document | HTMLElement} page
 * @param {(action: string) => boolean} may
 */
export function hideForbidden(page, may) {
  for (const part of /** @type {NodeListOf<HTMLElement>} */ (page.querySelectorAll("[data-action], [data-needs]"))) {
    if (!may(part.dataset.needs ?? part.dataset.action ?? "")) part.hidden = true;
  }
}
