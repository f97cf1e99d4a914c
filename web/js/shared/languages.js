/**
 * Return the first supported language of a list of tags, or null. Each tag loses its parts from the end until it is
 * supported (RFC 4647, section 3.4): `es-419` finds `es`. The case of the tags does not matter. The server makes the same
 * choice (`lookup` in `server/domain`).
 *
 * @param {Iterable<string>} wanted  language tags, best first
 * @param {Iterable<string>} supported
 * @returns {string | null}
 */
export function lookup(wanted, supported) {
  const known = new Map(Array.from(supported, (tag) => [tag.toLowerCase(), tag]));
  for (const tag of wanted) {
    const parts = tag.toLowerCase().split("-");
    while (parts.length > 0) {
      const found = known.get(parts.join("-"));
      if (found !== undefined) return found;
      parts.pop();
      if (parts.at(-1)?.length === 1) parts.pop();
    }
  }
  return null;
}
