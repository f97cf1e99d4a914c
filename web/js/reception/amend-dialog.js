import { find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { LatestRequest } from "../shared/latest-request.js";
import { copyChoices } from "./copied-choices.js";
import { clearErrors, phoneIn, showInvalid, showRefusal } from "../desk/form-errors.js";
import { offerLanguages } from "../desk/language-options.js";

/**
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("./desk.js").Entry} Entry
 */

/**
 * The dialog that corrects the details of a patient. The desk knows all of them but the phone number and the date of birth,
 * which it requests. The dialog stays open until the server has accepted the changes.
 *
 * @typedef {{phone: string, date_of_birth: string}} Requested
 *
 * @param {HTMLDialogElement} dialog
 * @param {ReturnType<typeof import("../desk/contact-lines.js").contactLines>} contact
 * @param {(entry: Entry, changed: Record<string, unknown>) => Promise<void>} amend
 * @returns {{open: (desk: Desk, entry: Entry) => void}}
 */
export function amendDialog(dialog, contact, amend) {
  const form = /** @type {HTMLFormElement} */ (find("form", dialog));
  const submit = find("[type=submit]", form);
  const needs = copyChoices(form, "needs");
  const lookUp = new LatestRequest();
  find('[data-error="form"]', form).before(contact.element);
  contact.cancelWith(dialog);
  const requestedFields = ["phone", "date_of_birth"].map((name) => inputOf(form, name));
  /** @type {Entry | null} */
  let subject = null;
  /** The data that the server has; null until it is known. @type {Requested | null} */
  let requested = null;

  /** @param {Entry} entry */
  async function request(entry) {
    requested = null;
    for (const field of requestedFields) field.disabled = true;
    try {
      const answer = await lookUp.get(`/api/v1/entries/${entry.id}`);
      if (answer === null) return; // the dialog shows another patient by now
      const personal = answer.visit.personal;
      requested = { phone: personal?.phone_shown ?? "", date_of_birth: personal?.date_of_birth ?? "" };
      for (const field of requestedFields) {
        field.value = requested[/** @type {keyof Requested} */ (field.name)];
        field.disabled = false;
      }
    } catch {
      setText(find('[data-error="phone"]', form), t("amend.no_phone"));
    }
  }

  /**
   * @param {Entry} entry
   * @param {Record<string, unknown>} changed
   */
  async function send(entry, changed) {
    submit.setAttribute("aria-busy", "true");
    try {
      await amend(entry, changed);
      if (subject === entry) dialog.close();
    } catch (error) {
      if (subject === entry && dialog.open) showRefusal(form, error);
    } finally {
      submit.removeAttribute("aria-busy");
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (subject === null || submit.getAttribute("aria-busy") === "true") return;
    clearErrors(form);
    if (showInvalid(form)) return;
    const changed = changesIn(form, needs, subject, requested);
    if (Object.keys(changed).length === 0) dialog.close();
    else void send(subject, inputOf(form, "second_ticket").checked ? { ...changed, second_ticket: true } : changed);
  });
  find("[data-close]", dialog).addEventListener("click", () => dialog.close());
  // The event comes late: the user may have opened the dialog again, and then needs the new answer.
  dialog.addEventListener("close", () => dialog.open || lookUp.cancel());

  return {
    open(desk, entry) {
      subject = entry;
      form.reset();
      clearErrors(form);
      setText(find("h2", dialog), t("amend.title", { label: entry.label }));
      inputOf(form, "name").value = entry.name ?? "";
      inputOf(form, "party_size").value = String(entry.party);
      // A consent can be withdrawn even after the site has forbidden names.
      find("[data-consent]", form).hidden = !desk.site?.names_on_display && !entry.name_on_display;
      inputOf(form, "name_on_display").checked = entry.name_on_display === true;
      find("[data-second-ticket]", form).hidden = true;
      for (const each of needs) each.checked = (entry.needs ?? []).some((need) => need === each.value);
      offerLanguages(languageOf(form), desk.site?.language ?? "en", entry.language);
      void request(entry);
      contact.show(`/api/v1/entries/${entry.id}`);
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
 * @param {Requested | null} requested  the data that the server has; null if it is not known
 */
function changesIn(form, needs, entry, requested) {
  const name = inputOf(form, "name").value.trim();
  const phone = phoneIn(inputOf(form, "phone").value);
  const born = inputOf(form, "date_of_birth").value;
  const agrees = inputOf(form, "name_on_display").checked;
  const language = languageOf(form).value;
  const partySize = Number(inputOf(form, "party_size").value);
  const checked = needs.filter(({ checked }) => checked).map(({ value }) => value);
  /** @type {Record<string, unknown>} */
  const changed = {};
  if (name !== (entry.name ?? "")) changed.name = name;
  if (requested !== null && phone !== requested.phone) changed.phone = phone;
  if (requested !== null && born !== requested.date_of_birth) changed.date_of_birth = born;
  if (agrees !== (entry.name_on_display === true)) changed.name_on_display = agrees;
  if (language !== entry.language) changed.language = language;
  if (partySize !== entry.party) changed.party_size = partySize;
  if (checked.toSorted().join() !== [...(entry.needs ?? [])].sort().join()) changed.needs = checked;
  return changed;
}
