import { languageName } from "../desk/entry-texts.js";
import { element } from "../shared/dom.js";

// Those that patients of a clinic are likely to speak; the visit's language follows into its page where we have it.
const OFFERED = ["en", "es", "fr", "ar", "de", "pl", "pt", "ro", "ru", "so", "tr", "uk", "ur", "vi", "zh"];

/**
 * Offer the languages that a patient may speak, by name, and choose one.
 *
 * @param {HTMLSelectElement} select
 * @param {string} own     the site's: the first
 * @param {string} [chosen]
 */
export function offerLanguages(select, own, chosen = own) {
  const named = [...new Set([own, chosen, ...OFFERED])].map((tag) => ({ tag, name: languageName(tag) }));
  named.sort((one, other) => Number(other.tag === own) - Number(one.tag === own) || one.name.localeCompare(other.name));
  select.replaceChildren(...named.map(({ tag, name }) => element("option", { value: tag }, name)));
  select.value = chosen;
}
