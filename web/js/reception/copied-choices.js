import { find } from "../shared/dom.js";

/**
 * Copy the choices of another form of the page into a form, so that the HTML lists them once. Returns the inputs.
 *
 * @param {HTMLFormElement} form  has a place for them: `data-same-as`
 * @param {string} name           the name of the choices: `data-choices-of`
 * @returns {HTMLInputElement[]}
 */
export function copyChoices(form, name) {
  const place = find(`[data-same-as="${name}"]`, form);
  const original = find(`[data-choices-of="${name}"]`);
  place.replaceChildren(...[...original.childNodes].map((each) => each.cloneNode(true)));
  return [...place.querySelectorAll("input")];
}
