import { element } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { checkOf, fieldOf, pairOf } from "./form-parts.js";
import { phoneIn } from "./form-errors.js";
import { offerLanguages } from "./language-options.js";

/** @typedef {import("./appointments.js").Appointment} Appointment */

const NEEDS = ["fetch_in_person", "interpreter", "step_free", "chaperone"];
const REQUESTED = /** @type {const} */ (["phone", "email", "date_of_birth", "note"]);
const TEXTS = /** @type {const} */ (["name", ...REQUESTED]);

/** @typedef {Record<(typeof REQUESTED)[number], string>} Requested  the data that no page has before it asks the server */

/**
 * The part of a form with the data of a patient who has an appointment.
 *
 * @param {string} id  of the dialog
 */
export function patientFields(id) {
  const inputs = {
    name: element("input", { maxLength: 80, autocomplete: "off" }),
    phone: element("input", { type: "tel", maxLength: 40, pattern: ".*\\p{Nd}.*", autocomplete: "off" }),
    email: element("input", { type: "email", maxLength: 254, autocomplete: "off" }),
    date_of_birth: element("input", { type: "date", autocomplete: "off" }),
    note: element("input", { maxLength: 500, autocomplete: "off" }),
    language: element("select"),
  };
  const field = (/** @type {keyof typeof inputs} */ name) => fieldOf(`${id}-${name}`, t(`appointment.field.${name}`), inputs[name]);
  const needs = NEEDS.map((value) => element("input", { type: "checkbox", name: "needs", value }));
  const choices = needs.map((each) => element("label", { className: "choice" }, each, element("span", {}, t(`desk.need.${each.value}`))));
  const earlier = checkOf("wants_earlier", t("appointment.field.wants_earlier"));
  const earlierBox = /** @type {HTMLInputElement} */ (earlier.firstElementChild);
  const part = element(
    "div",
    { className: "dialog-body" },
    pairOf(field("name"), field("phone"), field("email"), field("date_of_birth"), field("language"), field("note")),
    element("fieldset", { className: "choices" }, element("legend", {}, t("issue.needs")), element("div", { className: "choice-list" }, ...choices)),
    earlier,
  );

  const checked = () => needs.filter((each) => each.checked).map(({ value }) => value);
  const textOf = (/** @type {(typeof TEXTS)[number]} */ name) => (name === "phone" ? phoneIn(inputs.phone.value) : inputs[name].value.trim());

  return {
    element: part,
    /**
     * Show the known data of an appointment; of none for a new one.
     *
     * @param {string} language  the site's
     * @param {Appointment | null} known
     */
    reset(language, known) {
      for (const name of TEXTS) inputs[name].value = "";
      inputs.name.value = known?.name ?? "";
      offerLanguages(inputs.language, language, known?.language ?? language);
      for (const each of needs) each.checked = (known?.needs ?? []).some((need) => need === each.value);
      earlierBox.checked = known?.wants_earlier ?? false;
    },
    /**
     * Show the data that the page requests. Before they are there, and if they do not arrive, nobody can change them.
     *
     * @param {Requested | null} requested
     */
    showRequested(requested) {
      for (const name of REQUESTED) {
        inputs[name].disabled = requested === null;
        inputs[name].value = requested?.[name] ?? "";
      }
    },
    /** Return the data of a new appointment, without the empty fields. @returns {Record<string, unknown>} */
    values() {
      const texts = TEXTS.map((name) => [name, textOf(name)]).filter(([, value]) => value !== "");
      const more = { language: inputs.language.value, needs: checked(), ...(earlierBox.checked ? { wants_earlier: true } : {}) };
      return { ...Object.fromEntries(texts), ...more };
    },
    /**
     * Return the data that differ from the known ones. An emptied field is an empty text, which removes the value.
     *
     * @param {Appointment} known
     * @param {Requested | null} requested  null: not there, and so unchanged
     * @returns {Record<string, unknown>}
     */
    changes(known, requested) {
      /** @type {Record<string, unknown>} */
      const changed = {};
      if (textOf("name") !== (known.name ?? "")) changed.name = textOf("name");
      if (requested !== null) {
        for (const name of REQUESTED) if (textOf(name) !== requested[name]) changed[name] = textOf(name);
      }
      if (inputs.language.value !== known.language) changed.language = inputs.language.value;
      if (checked().sort().join() !== [...(known.needs ?? [])].sort().join()) changed.needs = checked();
      if (earlierBox.checked !== known.wants_earlier) changed.wants_earlier = earlierBox.checked;
      return changed;
    },
    focus: () => inputs.name.focus(),
    select: () => inputs.name.select(),
    /** Whether the name, the only required field, is there. */
    get hasName() {
      return inputs.name.value.trim() !== "";
    },
  };
}
