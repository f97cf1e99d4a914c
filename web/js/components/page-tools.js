import { languageChoice } from "./language-choice.js";
import { themeButton } from "./theme-button.js";

/**
 * Put the reader's own choices into a page: its language, and light or dark.
 *
 * @param {HTMLElement} parent
 */
export function showPageTools(parent) {
  parent.append(languageChoice(again).element, themeButton().element);
}

/** Load the page anew in the language that was chosen, whatever its address asked for before. */
function again() {
  const address = new URL(location.href);
  address.searchParams.delete("lang");
  if (address.href === location.href) location.reload();
  else location.replace(address);
}
