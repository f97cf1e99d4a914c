/**
 * A first impression of a new password while somebody types it. The server judges with a dictionary and has the last word, but
 * only after the right set-up code: until then it does no work for strangers.
 */

const LEAST_BESIDE_NAME = 6;
const WELL_KNOWN = /passwor|qwert|asdf|12345|abcd|letmein|welcome|clinic|nowserving|reception|admin/i;

/** Return a text without case and outer spaces. @param {string} text */
const folded = (text) => text.normalize("NFKC").toLowerCase().trim();

/**
 * Return whether a password is the user name with few other characters.
 *
 * @param {string} password
 * @param {string} username
 */
export function isLikeName(password, username) {
  const [name, whole] = [folded(username), folded(password)];
  return name !== "" && whole.includes(name) && whole.replace(name, "").length < LEAST_BESIDE_NAME;
}

/**
 * Return the strength of a password, 0 to 4. 3 is enough, unless the server knows better.
 *
 * @param {string} password
 * @param {string} username
 */
export function strengthOf(password, username) {
  if (password === "") return 0;
  if (isLikeName(password, username)) return 1;
  const different = new Set(folded(password)).size;
  const words = folded(password).split(/[\s\-_.,]+/).filter((word) => word.length > 2);
  const kinds = [/\p{Ll}/u, /\p{Lu}/u, /\p{N}/u, /[^\p{L}\p{N}]/u].filter((kind) => kind.test(password)).length;
  let score = password.length < 12 || different < 6 ? 1 : 2;
  if (score === 2 && (new Set(words).size >= 3 || kinds >= 3 || password.length >= 18)) score = 3;
  if (score === 3 && (new Set(words).size >= 4 || password.length >= 20)) score = 4;
  return WELL_KNOWN.test(password) && password.length < 20 ? Math.min(score, 1) : score;
}
