/** The reader's own settings: the language, and light or dark. */

import { element, icon } from "../shared/dom.js";
import { LANGUAGE_NAMES, chooseLanguage, currentLanguage, t } from "../shared/i18n.js";
import { chooseTheme, isDark } from "../shared/theme.js";

const SUN =
  "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zm0-6v2m0 16v2M2 12h2m16 0h2M4.9 4.9l1.4 1.4m11.4 11.4 1.4 1.4m0-14.2-1.4 1.4M6.3 17.7l-1.4 1.4";
const MOON = "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z";

/**
 * Add the settings to a page that reloads for another language.
 *
 * @param {HTMLElement} parent
 */
export function showReaderSettings(parent) {
  parent.append(languageChoice(reload).element, themeButton().element);
}

/** Reload the page. The language that its address asks for gives way to the chosen one. */
function reload() {
  const address = new URL(location.href);
  address.searchParams.delete("lang");
  if (address.href === location.href) location.reload();
  else location.replace(address);
}

/**
 * Return a choice of languages, each by its own name. `show` updates its texts after a change of language.
 *
 * @param {() => void} onChosen  called when the texts of the chosen language are loaded
 */
export function languageChoice(onChosen) {
  const select = element(
    "select",
    { className: "language-choice" },
    ...Object.entries(LANGUAGE_NAMES).map(([tag, name]) => element("option", { value: tag, lang: tag }, name)),
  );
  const show = () => {
    select.value = currentLanguage();
    select.setAttribute("aria-label", t("language.choose"));
  };
  show();
  select.addEventListener("change", async () => {
    await chooseLanguage(select.value).catch(() => {});
    show();
    onChosen();
  });
  return { element: select, show };
}

/** Return a button that turns the page light or dark. `show` updates its texts after a change of language. */
export function themeButton() {
  const button = element("button", { className: "button is-quiet theme-button", type: "button" });
  const show = () => {
    button.replaceChildren(icon(isDark() ? SUN : MOON));
    button.setAttribute("aria-label", t(isDark() ? "theme.light" : "theme.dark"));
  };
  show();
  button.addEventListener("click", () => {
    chooseTheme(isDark() ? "light" : "dark");
    show();
  });
  return { element: button, show };
}
