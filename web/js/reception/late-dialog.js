import { chooseByDigit } from "../components/choose-by-digit.js";
import { element, find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";

/** @typedef {import("./desk.js").Entry} Entry */

const MINUTES = [5, 10, 15, 20, 30, 45, 60, 90];

/**
 * The dialog that asks how late a patient will be, or how much time a called patient needs. A patient who is late already
 * can also be marked as here.
 *
 * @param {HTMLDialogElement} dialog
 * @param {(entry: Entry, minutes: number) => void} chosen  0 minutes: the patient is here
 * @returns {{open: (entry: Entry) => void}}
 */
export function lateDialog(dialog, chosen) {
  const choices = find("[data-choices]", dialog);
  find("[data-close]", dialog).addEventListener("click", () => dialog.close());
  chooseByDigit(dialog, (index) => /** @type {HTMLElement | null} */ (choices.children[index] ?? null));
  return {
    open(entry) {
      const words = entry.state === "called" ? "late.called" : "late";
      setText(find("h2", dialog), t(`${words}.title`, { label: entry.label }));
      setText(find("[data-lead]", dialog), t(`${words}.lead`));
      const offered = entry.absent_until === null ? MINUTES : [0, ...MINUTES];
      choices.replaceChildren(
        ...offered.map((minutes, index) => {
          const text = minutes === 0 ? t("late.here") : t("patient.late.minutes", { n: minutes });
          const key = element("kbd", { "aria-hidden": "true" }, String(index + 1));
          const button = element("button", { type: "button", className: "choice" }, element("span", {}, text), key);
          button.dataset.minutes = String(minutes);
          button.addEventListener("click", () => {
            dialog.close();
            chosen(entry, minutes);
          });
          return button;
        }),
      );
      dialog.showModal();
      /** @type {HTMLElement | null} */ (choices.firstElementChild)?.focus();
    },
  };
}
