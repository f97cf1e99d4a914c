import { chooseByDigit } from "../components/choose-by-digit.js";
import { errorMessage } from "../desk/error-messages.js";
import { formDialog } from "../desk/form-parts.js";
import { previewCommand } from "../shared/commands.js";
import { element, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";

/** @typedef {{reached: number, without_address: number}} Told  the patients who get a message, and those without an address */

const MINUTES = [10, 15, 20, 30, 45, 60, 90, 120];
const USUAL = 20;

/**
 * The dialog that tells patients by message that the clinic is late. It shows first how many of them get a message.
 *
 * @param {number} site
 * @param {(minutes: number) => void} announce
 * @returns {{open: (announced: number | null) => void}}
 */
export function delayDialog(site, announce) {
  const inputs = MINUTES.map((minutes) => element("input", { type: "radio", name: "minutes", value: String(minutes) }));
  const labels = inputs.map((input, index) =>
    element("label", { className: "choice" }, input, element("span", {}, t("patient.late.minutes", { n: MINUTES[index] ?? 0 }))),
  );
  const summary = element("p", { className: "dialog-lead", role: "status" });
  const { dialog, form, heading, error, submit } = formDialog(
    "delay",
    { submit: t("desk.delay.submit") },
    element("p", { className: "dialog-lead" }, t("desk.delay.lead")),
    element("fieldset", { className: "choices" }, element("legend", { className: "hidden" }, t("desk.delay.title")), element("div", { className: "choice-list is-even" }, ...labels)),
    summary,
  );
  setText(heading, t("desk.delay.title"));
  chooseByDigit(dialog, (index) => inputs[index] ?? null);
  /** Counts the questions, so that a late answer does not replace a newer one. */
  let turn = 0;

  const chosen = () => Number(inputs.find(({ checked }) => checked)?.value ?? USUAL);

  /** Show how many patients would get a message now. */
  async function count() {
    turn += 1;
    const mine = turn;
    submit.disabled = true;
    setText(error, "");
    try {
      const { events } = await previewCommand("announce-delay", { site_id: site, minutes: chosen() });
      if (mine === turn) show(/** @type {Told} */ (/** @type {unknown} */ (events.at(-1))));
    } catch (refusal) {
      if (mine !== turn) return;
      setText(summary, "");
      setText(error, errorMessage(refusal));
    }
  }

  /** @param {Told} told */
  function show({ reached, without_address: others }) {
    const words = reached === 0 ? t("desk.delay.nobody") : t("desk.delay.reached", { n: reached });
    setText(summary, others === 0 ? words : `${words} ${t("desk.delay.unreached", { n: others })}`);
    submit.disabled = reached === 0;
  }

  form.addEventListener("change", () => void count());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (submit.disabled) return; // by the key Enter, before the count is there
    dialog.close();
    announce(chosen());
  });
  dialog.addEventListener("close", () => (turn += 1));

  return {
    open(announced) {
      const nearest = MINUTES.includes(announced ?? 0) ? announced : USUAL;
      for (const input of inputs) input.checked = Number(input.value) === nearest;
      setText(summary, "");
      dialog.showModal();
      inputs.find(({ checked }) => checked)?.focus();
      void count();
    },
  };
}
