/** The user's permissions on a page: a forbidden action is not offered. The server checks every command in any case. */

/**
 * Return a function that tells whether the user may do an action, by the command's name.
 *
 * @param {import("../shared/session.js").User} user
 * @returns {(action: string) => boolean}
 */
export function permissionsOf({ may }) {
  const allowed = new Set(may);
  return (action) => allowed.has(action);
}

/**
 * Hide the elements of forbidden actions. `data-action` names an element's action, or `data-needs` if it needs another one.
 *
 * @param {Document | HTMLElement} page
 * @param {(action: string) => boolean} may
 */
export function hideForbidden(page, may) {
  for (const part of /** @type {NodeListOf<HTMLElement>} */ (page.querySelectorAll("[data-action], [data-needs]"))) {
    if (!may(part.dataset.needs ?? part.dataset.action ?? "")) part.hidden = true;
  }
}
