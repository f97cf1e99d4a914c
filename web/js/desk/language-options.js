import { languageName } from "./entry-texts.js";
import { element } from "../shared/dom.js";

// The likely languages of a clinic's patients. The ticket's page uses the language if it has a locale for it.
const OFFERED = ["en", "es", "fr", "ar", "de", "pl", "pt", "ro", "ru", "so", "tr", "uk", "ur", "vi", "zh"];

/**
 * Offer the languages that a patient may speak, by name, and select one.
 *
 * @param {HTMLSelectElement} select
 * @param {string} own     the site's, which comes first
 * @param {string} [chosen]
 */
export function offerLanguages(select, own, chosen = own) {
  const named = [...new Set([own, chosen, ...OFFERED])].map((tag) => ({ tag, name: languageName(tag) }));
  named.sort((one, other) => Number(other.tag === own) - Number(one.tag === own) || one.name.localeCompare(other.name));
  select.replaceChildren(...named.map(({ tag, name }) => element("option", { value: tag }, name)));
  select.value = chosen;
}
