import { element } from "../shared/dom.js";
import { LANGUAGE_NAMES, chooseLanguage, currentLanguage, t } from "../shared/i18n.js";

/**
 * Return a choice of language, each by its own name.
 *
 * @param {() => void} onChosen  the page draws itself again
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
