import { element } from "../shared/dom.js";
import { NAMES, chooseLanguage, spoken, t } from "../shared/i18n.js";

/**
 * Return a choice of language, each by its own name.
 *
 * @param {() => void} onChosen  the page draws itself again
 */
export function languageChoice(onChosen) {
  const select = element(
    "select",
    { className: "language-choice" },
    ...Object.entries(NAMES).map(([tag, name]) => element("option", { value: tag, lang: tag }, name)),
  );
  const show = () => {
    select.value = spoken();
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
