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
 * The dialog that puts right what is known of a patient. The desk knows all but the phone number: that is asked for.
 *
 * @param {HTMLDialogElement} dialog
 * @param {(entry: Entry, changed: Record<string, unknown>) => void} amend
 * @returns {{open: (desk: Desk, entry: Entry) => void}}
 */
export function amendDialog(dialog, amend) {
  const form = /** @type {HTMLFormElement} */ (find("form", dialog));
  const input = (/** @type {string} */ name) => /** @type {HTMLInputElement} */ (find(`[name=${name}]`, form));
  const needs = copyChoices(form, "needs");
  const language = /** @type {HTMLSelectElement} */ (find("[name=language]", form));
  const lookUp = new LatestRequest();
  /** @type {Entry | null} */
  let subject = null;
  /** What is known of the phone; null until it is. @type {string | null} */
  let phone = null;

  /** @param {Entry} entry */
  async function askPhone(entry) {
    phone = null;
    input("phone").disabled = true;
    try {
      const answer = await lookUp.get(`/api/v1/entries/${entry.id}`);
      if (answer === null) return; // the dialog is about somebody else by now
      phone = answer.visit.personal?.phone ?? "";
      input("phone").value = phone ?? "";
      input("phone").disabled = false;
    } catch {
      setText(find('[data-error="phone"]', form), t("amend.no_phone"));
    }
  }

  /** Return what is other than it was. @param {Entry} entry */
  function changedOf(entry) {
    const now = {
      name: input("name").value.trim(),
      language: language.value,
      party_size: Number(input("party_size").value),
      needs: needs.filter(({ checked }) => checked).map(({ value }) => value),
    };
    /** @type {Record<string, unknown>} */
    const changed = {};
    if (now.name !== (entry.name ?? "")) changed.name = now.name;
    if (phone !== null && input("phone").value.trim() !== phone) changed.phone = input("phone").value.trim();
    if (now.language !== entry.language) changed.language = now.language;
    if (now.party_size !== entry.party) changed.party_size = now.party_size;
    if (now.needs.toSorted().join() !== [...(entry.needs ?? [])].sort().join()) changed.needs = now.needs;
    return changed;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (subject === null) return;
    clearErrors(form);
    const wrong = /** @type {HTMLInputElement | null} */ (form.querySelector("input:invalid"));
    if (wrong !== null) {
      showError(form, wrong.name, t(`issue.error.${wrong.name}`));
      return;
    }
    const changed = changedOf(subject);
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
      input("name").value = entry.name ?? "";
      input("party_size").value = String(entry.party);
      for (const each of needs) each.checked = (entry.needs ?? []).some((need) => need === each.value);
      offerLanguages(language, desk.site?.language ?? "en", entry.language);
      void askPhone(entry);
      dialog.showModal();
      input("name").select();
    },
  };
}
