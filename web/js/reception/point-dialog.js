import { element, find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";

/**
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("./desk.js").Point} Point
 */

const STEPS = ["open-point", "break-point", "close-point"];
const ALREADY = { "open-point": "open", "break-point": "on_break", "close-point": "closed" };

/**
 * The dialog of one point: it may be made one's own, opened, paused or closed, and staffed; and a provider's whole list may be
 * given to another.
 *
 * @param {HTMLDialogElement} dialog
 * @param {object} by
 * @param {(name: string, body: Record<string, unknown>, words: Record<string, string>) => void} by.act
 * @param {(pointId: number) => void} by.choose
 * @param {(action: string) => boolean} by.may
 * @returns {{open: (desk: Desk, point: Point, mine: number | null) => void}}
 */
export function pointDialog(dialog, { act, choose, may }) {
  const provider = /** @type {HTMLSelectElement} */ (find("[data-provider]", dialog));
  const heir = /** @type {HTMLSelectElement} */ (find("[data-heir]", dialog));
  const reason = /** @type {HTMLInputElement} */ (find("[data-heir-reason]", dialog));
  const error = find(".field-error", dialog);
  /** @type {Desk | null} */
  let desk = null;
  /** @type {Point | null} */
  let point = null;

  /** @param {string} name @param {Record<string, unknown>} body @param {Record<string, string>} [more] */
  function done(name, body, more = {}) {
    dialog.close();
    act(name, body, { point: point?.name ?? "", ...more });
  }

  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (dialog.querySelectorAll("[data-point-step]"))) {
    button.addEventListener("click", () => point && done(button.dataset.pointStep ?? "", { point_id: point.id }));
  }
  find("[data-mine]", dialog).addEventListener("click", () => {
    dialog.close();
    if (point) choose(point.id);
  });
  provider.addEventListener("change", () => {
    const name = provider.selectedOptions[0]?.textContent ?? "";
    if (point) done("staff-point", { point_id: point.id, provider_id: Number(provider.value) || null }, { provider: name });
  });
  find("[data-reassign]", dialog).addEventListener("click", () => {
    const from = desk?.providers.find(({ id }) => id === point?.provider);
    if (from === undefined) return;
    if (reason.value.trim().length < 3) {
      setText(error, t("desk.move.error.other"));
      reason.setAttribute("aria-invalid", "true");
      reason.focus();
      return;
    }
    const body = { provider_id: from.id, to_provider_id: Number(heir.value) || null, reason: reason.value.trim() };
    done("reassign-provider", body, { provider: from.name, to: heir.selectedOptions[0]?.textContent ?? "" });
  });
  find("[data-close]", dialog).addEventListener("click", () => dialog.close());

  return {
    open(now, at, mine) {
      desk = now;
      point = at;
      const waiting = [...now.entries.values()].filter(({ provider: theirs, state }) => theirs !== null && theirs === at.provider && (state === "waiting" || state === "held"));
      const present = now.providers.find(({ id }) => id === at.provider);
      setText(find("h2", dialog), at.name);
      find("[data-mine]", dialog).hidden = at.id === mine;
      for (const step of STEPS) {
        const button = /** @type {HTMLButtonElement} */ (find(`[data-point-step="${step}"]`, dialog));
        button.disabled = ALREADY[/** @type {keyof typeof ALREADY} */ (step)] === at.state;
        button.classList.toggle("is-primary", step === "open-point" && at.state !== "open");
      }
      const options = (/** @type {string} */ none, /** @type {import("./desk.js").Provider[]} */ list) => [
        element("option", { value: "" }, none),
        ...list.map(({ id, name }) => element("option", { value: String(id) }, name)),
      ];
      find("[data-provider-field]", dialog).hidden = now.providers.length === 0;
      provider.replaceChildren(...options(t("desk.point.nobody"), now.providers));
      provider.value = at.provider === null ? "" : String(at.provider);
      find("[data-heir-field]", dialog).hidden = present === undefined || waiting.length === 0 || !may("reassign-provider");
      setText(find("[data-heir-label]", dialog), t("desk.point.heir", { provider: present?.name ?? "", n: waiting.length }));
      heir.replaceChildren(...options(t("transfer.anyone"), now.providers.filter(({ id }) => id !== at.provider)));
      reason.value = "";
      reason.removeAttribute("aria-invalid");
      setText(error, "");
      dialog.showModal();
    },
  };
}
