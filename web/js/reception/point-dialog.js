import { element, find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";

/**
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("./desk.js").Point} Point
 * @typedef {import("./desk.js").Provider} Provider
 */

/** The commands for a point's state, with the state that they lead to. */
const STATES = { "open-point": "open", "break-point": "on_break", "close-point": "closed" };
const SHORTEST_REASON = 3; // as on the server

/**
 * The dialog of a point: make it the user's own, open, pause, close or staff it, and give a provider's patients to another.
 *
 * @param {HTMLDialogElement} dialog
 * @param {object} by
 * @param {(name: string, body: Record<string, unknown>, words: Record<string, string>) => void} by.act
 * @param {(pointId: number) => void} by.choose
 * @param {(action: string) => boolean} by.may
 * @returns {{open: (desk: Desk, point: Point, mine: number | null) => void}}
 */
export function pointDialog(dialog, { act, choose, may }) {
  const provider = selectOf(dialog, "[data-provider]");
  const heir = selectOf(dialog, "[data-heir]");
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
    const reason = readReason(dialog);
    if (reason === null) return;
    const body = { provider_id: from.id, to_provider_id: Number(heir.value) || null, reason };
    done("reassign-provider", body, { provider: from.name, to: heir.selectedOptions[0]?.textContent ?? "" });
  });
  find("[data-close]", dialog).addEventListener("click", () => dialog.close());

  return {
    open(now, at, mine) {
      desk = now;
      point = at;
      setText(find("h2", dialog), at.name);
      find("[data-mine]", dialog).hidden = at.id === mine;
      showSteps(dialog, at);
      showStaffing(dialog, now, at);
      showReassigning(dialog, now, at, may("reassign-provider"));
      dialog.showModal();
    },
  };
}

/**
 * @param {HTMLElement} dialog
 * @param {string} selector
 */
const selectOf = (dialog, selector) => /** @type {HTMLSelectElement} */ (find(selector, dialog));

/**
 * @param {string} none  the text of the first option, which stands for no provider
 * @param {Provider[]} providers
 */
const optionsOf = (none, providers) => [
  element("option", { value: "" }, none),
  ...providers.map(({ id, name }) => element("option", { value: String(id) }, name)),
];

/**
 * @param {HTMLElement} dialog
 * @param {Point} point
 */
function showSteps(dialog, point) {
  for (const [step, state] of Object.entries(STATES)) {
    const button = /** @type {HTMLButtonElement} */ (find(`[data-point-step="${step}"]`, dialog));
    button.disabled = state === point.state;
    button.classList.toggle("is-primary", step === "open-point" && point.state !== "open");
  }
}

/**
 * @param {HTMLElement} dialog
 * @param {Desk} desk
 * @param {Point} point
 */
function showStaffing(dialog, { providers }, point) {
  const select = selectOf(dialog, "[data-provider]");
  find("[data-provider-field]", dialog).hidden = providers.length === 0;
  select.replaceChildren(...optionsOf(t("desk.point.nobody"), providers));
  select.value = point.provider === null ? "" : String(point.provider);
}

/**
 * Offer to give the waiting patients of the point's provider to another one.
 *
 * @param {HTMLElement} dialog
 * @param {Desk} desk
 * @param {Point} point
 * @param {boolean} allowed
 */
function showReassigning(dialog, { entries, providers }, point, allowed) {
  const present = providers.find(({ id }) => id === point.provider);
  const waiting = [...entries.values()].filter(
    ({ provider, state }) => provider !== null && provider === point.provider && (state === "waiting" || state === "held"),
  );
  find("[data-heir-field]", dialog).hidden = present === undefined || waiting.length === 0 || !allowed;
  setText(find("[data-heir-label]", dialog), t("desk.point.heir", { provider: present?.name ?? "", n: waiting.length }));
  selectOf(dialog, "[data-heir]").replaceChildren(...optionsOf(t("transfer.anyone"), providers.filter(({ id }) => id !== point.provider)));
  const reason = /** @type {HTMLInputElement} */ (find("[data-heir-reason]", dialog));
  reason.value = "";
  reason.removeAttribute("aria-invalid");
  setText(find(".field-error", dialog), "");
}

/**
 * Return the reason in the dialog, or null and show the mistake.
 *
 * @param {HTMLElement} dialog
 * @returns {string | null}
 */
function readReason(dialog) {
  const input = /** @type {HTMLInputElement} */ (find("[data-heir-reason]", dialog));
  const reason = input.value.trim();
  if (reason.length >= SHORTEST_REASON) return reason;
  setText(find(".field-error", dialog), t("desk.move.error.other"));
  input.setAttribute("aria-invalid", "true");
  input.focus();
  return null;
}
