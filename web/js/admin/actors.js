/** @typedef {import("./context.js").Context} Context */

const MOST_NAMES = 200;

/**
 * Return the user names of the staff by actor, such as "staff:3". Without them a page shows the actors alone.
 *
 * @param {Context} context
 * @returns {Promise<Map<string, string>>}
 */
export async function namesOfActors(context) {
  try {
    const { data } = await context.ask(`/api/v1/staff?page_size=${MOST_NAMES}`);
    return new Map(data.map((/** @type {{id: number, username: string}} */ { id, username }) => [`staff:${id}`, username]));
  } catch {
    return new Map();
  }
}
