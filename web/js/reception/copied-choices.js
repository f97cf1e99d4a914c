import { find } from "../shared/dom.js";

/**
 * Offer in a form the choices that another form of the page has: what there is to choose is written down once.
 *
 * @param {HTMLFormElement} form  has a place for them, `data-same-as`
 * @param {string} name           of the choices, their `data-choices-of`
 * @returns {HTMLInputElement[]}
 */
export function copyChoices(form, name) {
  const place = find(`[data-same-as="${name}"]`, form);
  const original = find(`[data-choices-of="${name}"]`);
  place.replaceChildren(...[...original.childNodes].map((each) => each.cloneNode(true)));
  return [...place.querySelectorAll("input")];
}
