import { find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { LatestRequest } from "../shared/latest-request.js";
import { copyChoices } from "./copied-choices.js";
import { clearErrors, showError } from "./form-errors.js";
import { offerLanguages } from "./language-options.js";

/**
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("./desk.js").Entry} Entry
 */

/**
 * The dialog that corrects the details of a patient. The desk knows all of them but the phone number, which it requests.
 *
 * @param {HTMLDialogElement} dialog
 * @param {(entry: Entry, changed: Record<string, unknown>) => void} amend
 * @returns {{open: (desk: Desk, entry: Entry) => void}}
 */
export function amendDialog(dialog, amend) {
  const form = /** @type {HTMLFormElement} */ (find("form", dialog));
  const needs = copyChoices(form, "needs");
  const lookUp = new LatestRequest();
  /** @type {Entry | null} */
  let subject = null;
  /** The phone number that the server has; null until it is known. @type {string | null} */
  let phone = null;

  /** @param {Entry} entry */
  async function requestPhone(entry) {
    phone = null;
    const field = inputOf(form, "phone");
    field.disabled = true;
    try {
      const answer = await lookUp.get(`/api/v1/entries/${entry.id}`);
      if (answer === null) return; // the dialog shows another patient by now
      phone = answer.visit.personal?.phone ?? "";
      field.value = phone ?? "";
      field.disabled = false;
    } catch {
      setText(find('[data-error="phone"]', form), t("amend.no_phone"));
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (subject === null) return;
    clearErrors(form);
    const invalid = /** @type {HTMLInputElement | null} */ (form.querySelector("input:invalid"));
    if (invalid !== null) {
      showError(form, invalid.name, t(`issue.error.${invalid.name}`));
      return;
    }
    const changed = changesIn(form, needs, subject, phone);
    dialog.close();
    if (Object.keys(changed).length > 0) amend(subject, changed);
  });
  find("[data-close]", dialog).addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => lookUp.cancel());

  return {
    open(desk, entry) {
      subject = entry;
      form.reset();
      clearErrors(form);
      setText(find("h2", dialog), t("amend.title", { label: entry.label }));
      inputOf(form, "name").value = entry.name ?? "";
      inputOf(form, "party_size").value = String(entry.party);
      for (const each of needs) each.checked = (entry.needs ?? []).some((need) => need === each.value);
      offerLanguages(languageOf(form), desk.site?.language ?? "en", entry.language);
      void requestPhone(entry);
      dialog.showModal();
      inputOf(form, "name").select();
    },
  };
}

/**
 * @param {HTMLFormElement} form
 * @param {string} name
 */
const inputOf = (form, name) => /** @type {HTMLInputElement} */ (find(`[name=${name}]`, form));

/** @param {HTMLFormElement} form */
const languageOf = (form) => /** @type {HTMLSelectElement} */ (find("[name=language]", form));

/**
 * Return the fields of the form that differ from the entry, by the command's names.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLInputElement[]} needs
 * @param {Entry} entry
 * @param {string | null} phone  the number that the server has; null if it is not known
 */
function changesIn(form, needs, entry, phone) {
  const name = inputOf(form, "name").value.trim();
  const newPhone = inputOf(form, "phone").value.trim();
  const language = languageOf(form).value;
  const partySize = Number(inputOf(form, "party_size").value);
  const checked = needs.filter(({ checked }) => checked).map(({ value }) => value);
  /** @type {Record<string, unknown>} */
  const changed = {};
  if (name !== (entry.name ?? "")) changed.name = name;
  if (phone !== null && newPhone !== phone) changed.phone = newPhone;
  if (language !== entry.language) changed.language = language;
  if (partySize !== entry.party) changed.party_size = partySize;
  if (checked.toSorted().join() !== [...(entry.needs ?? [])].sort().join()) changed.needs = checked;
  return changed;
}
