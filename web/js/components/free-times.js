import { element, updateList } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { dayOf, offsetName, timeOf } from "../shared/local-time.js";

/**
 * @typedef {{local_start: string, fold: number, offset_minutes: number, starts_at: number, minutes: number,
 *   provider_id: number, left: number}} Slot  a free time, as `GET /api/v1/sites/{id}/slots` lists it
 * @typedef {{key: string, label: string, slot: Slot}} Choice  a time, and the first of its slots
 * @typedef {{date: string, choices: Choice[]}} Day
 */

/**
 * Return the days of the slots, in order, each with its times. Several providers who are free at one time are one choice.
 * Two equal local times, when the clocks go back, have their offset in the label.
 *
 * @param {readonly Slot[]} slots  by time
 * @returns {Day[]}
 */
export function daysOf(slots) {
  /** @type {Map<string, Map<string, Choice>>} */
  const days = new Map();
  const twice = new Set(slots.filter(({ fold }) => fold === 1).map(({ local_start: local }) => local));
  for (const slot of slots) {
    const date = slot.local_start.slice(0, 10);
    const choices = days.get(date) ?? new Map();
    days.set(date, choices);
    const key = keyOf(slot);
    const time = timeOf(slot.local_start);
    const label = twice.has(slot.local_start) ? t("free_times.twice", { time, offset: offsetName(slot.offset_minutes) }) : time;
    if (!choices.has(key)) choices.set(key, { key, label, slot });
  }
  return Array.from(days, ([date, choices]) => ({ date, choices: [...choices.values()] }));
}

/**
 * Return the text that names a slot's time, different for two equal local times.
 *
 * @param {{local_start: string, fold: number}} slot
 */
export const keyOf = ({ local_start: local, fold }) => `${local}/${fold}`;

/**
 * A list of free times by day, to choose one of. Tab reaches the list, and the arrow keys move through all its times. Put
 * it into a form of its own, or into the form that the time is for.
 *
 * @param {HTMLElement} parent  an empty element; gets the class `free-times`
 * @param {(slot: Slot) => void} choose  called when the user chooses a time
 * @param {string} [name]  of the inputs, if a page has several lists
 */
export function freeTimes(parent, choose, name = "free_time") {
  const list = element("div", { className: "free-days" });
  const empty = element("p", { className: "free-none", role: "status" });
  /** @type {Map<string, Slot>} */
  let slots = new Map();
  parent.classList.add("free-times");
  parent.append(empty, list);
  list.addEventListener("change", ({ target }) => {
    const slot = target instanceof HTMLInputElement ? slots.get(target.value) : undefined;
    if (slot !== undefined) choose(slot);
  });
  const inputs = () => /** @type {HTMLInputElement[]} */ ([...list.querySelectorAll("input")]);

  return {
    /**
     * Show slots instead of the earlier ones. A chosen time stays chosen while it is free.
     *
     * @param {readonly Slot[]} found
     */
    show(found) {
      const days = daysOf(found);
      slots = new Map(days.flatMap(({ choices }) => choices.map(({ key, slot }) => [key, slot])));
      parent.removeAttribute("aria-busy");
      empty.textContent = days.length === 0 ? t("free_times.none") : "";
      updateList(list, days, ({ date }) => date, makeDay, (day, { choices }) =>
        updateList(/** @type {Element} */ (day.lastElementChild), choices, ({ key }) => key, (choice) => makeChoice(choice, name), () => {}),
      );
    },
    /** Tell that other slots are on their way. The earlier ones stay, so that nothing jumps. */
    wait() {
      parent.setAttribute("aria-busy", "true");
      empty.textContent = "";
    },
    /**
     * Choose a time, as if by the user but without the call of `choose`. Returns its slot, or null if it is not free.
     *
     * @param {{local_start: string, fold: number} | null} wanted  null: none
     * @returns {Slot | null}
     */
    select(wanted) {
      for (const input of inputs()) input.checked = wanted !== null && input.value === keyOf(wanted);
      return wanted === null ? null : (slots.get(keyOf(wanted)) ?? null);
    },
    /** The chosen slot. @returns {Slot | null} */
    get chosen() {
      return slots.get(inputs().find(({ checked }) => checked)?.value ?? "") ?? null;
    },
    /** Move the focus to the chosen time, or else to the first one. Returns whether there is one. */
    focus() {
      const input = inputs().find(({ checked }) => checked) ?? inputs()[0];
      input?.focus();
      input?.scrollIntoView({ block: "nearest" });
      return input !== undefined;
    },
  };
}

/** @param {Day} day */
function makeDay({ date }) {
  return element(
    "fieldset",
    { className: "free-day" },
    element("legend", {}, dayOf(date)),
    element("div", { className: "free-day-times" }),
  );
}

/**
 * @param {Choice} choice
 * @param {string} name
 */
function makeChoice({ key, label }, name) {
  return element("label", { className: "free-time" }, element("input", { type: "radio", name, value: key }), element("span", {}, label));
}
