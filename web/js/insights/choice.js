/** The form of the period and the filters. Each change counts at once; own dates count when they are shown. */

import { element, find, setText } from "../shared/dom.js";
import { nameIn, t } from "../shared/i18n.js";
import { KINDS, MOST_DAYS, problemOf, spanOf } from "./period.js";

/**
 * @typedef {import("./period.js").Choice} Choice
 * @typedef {{id: number, name?: string, public_name?: string, names?: Record<string, string>}} Named
 * @typedef {{services: Named[], queues: (Named & {service_id: number | null})[], providers: Named[]}} Clinic
 */

/** @type {readonly ("service" | "queue" | "provider")[]} */
const FILTERS = ["service", "queue", "provider"];
const NO_FILTER = { service: null, queue: null, provider: null };

/**
 * Show a choice in the form, and tell every later one.
 *
 * @param {Choice} choice
 * @param {Clinic} clinic
 * @param {string} today  the business day of the site
 * @param {(choice: Choice) => void} choose
 */
export function showChoice(choice, clinic, today, choose) {
  const form = find("[data-choice]");
  const own = find("[data-own]");
  const [from, to] = /** @type {[HTMLInputElement, HTMLInputElement]} */ ([find("[data-from]"), find("[data-to]")]);
  const tell = (/** @type {Partial<Choice>} */ change) => {
    Object.assign(choice, change);
    choose(choice);
  };

  const radios = KINDS.map((kind) => {
    const input = element("input", { type: "radio", name: "period", value: kind, checked: kind === choice.kind });
    input.addEventListener("change", () => {
      own.hidden = kind !== "own";
      if (kind !== "own") tell({ kind, own: null });
      else if (from.value === "") ({ from: from.value, to: to.value } = spanOf(choice, today)); // the dates that the page shows
    });
    return element("label", { className: "choice" }, input, t(`insights.period.${kind}`));
  });
  find("[data-periods]").replaceChildren(...radios);

  own.hidden = choice.kind !== "own";
  for (const input of [from, to]) input.max = today;
  if (choice.own !== null) ({ from: from.value, to: to.value } = choice.own);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const problem = own.hidden ? null : problemOf(from.value, to.value, today);
    setText(find("[data-dates-error]"), problem === null ? "" : t(`insights.dates.${problem}`, { n: MOST_DAYS }));
    for (const input of [from, to]) input.toggleAttribute("aria-invalid", false);
    if (problem !== null) {
      const wrong = problem === "missing" && from.value !== "" ? to : from;
      wrong.setAttribute("aria-invalid", "true");
      wrong.focus();
    } else if (!own.hidden) tell({ kind: "own", own: { from: from.value, to: to.value } });
  });

  const field = find("[data-filter]");
  const select = /** @type {HTMLSelectElement} */ (find("select", field));
  const lists = { service: clinic.services, queue: clinic.queues, provider: clinic.providers };
  const groups = FILTERS.map((filter) => {
    const offered = lists[filter].map((each) => element("option", { value: `${filter}:${each.id}` }, nameIn(each.name ?? each.public_name ?? "", each.names)));
    return element("optgroup", { label: t(`insights.${filter}s`) }, ...offered);
  });
  select.replaceChildren(element("option", { value: "" }, t("insights.filter.all")), ...groups.filter((group) => group.childElementCount > 0));
  const chosen = FILTERS.find((filter) => choice[filter] !== null);
  select.value = chosen === undefined ? "" : `${chosen}:${choice[chosen]}`;
  if (select.selectedIndex < 0) {
    select.value = "";
    Object.assign(choice, NO_FILTER);
  }
  field.hidden = select.length < 3;
  select.addEventListener("change", () => {
    const [filter, id] = select.value.split(":");
    tell({ ...NO_FILTER, ...(filter === "" ? {} : { [filter ?? ""]: Number(id) }) });
  });

  const compare = /** @type {HTMLInputElement} */ (find("[data-compare]"));
  compare.checked = choice.compared;
  compare.addEventListener("change", () => tell({ compared: compare.checked }));
  form.hidden = false;
}
