/** The third step: a template, its queues, rooms and hours to edit, and the clinic opens. */

import { element, find, setText } from "../shared/dom.js";
import { currentLanguage, formatNumber, t } from "../shared/i18n.js";
import { ask } from "../shared/staff-requests.js";
import { onSubmit, textOf } from "./forms.js";
import { DAYS, Plan } from "./plan.js";

/**
 * @typedef {import("../shared/session.js").Site} Site
 * @typedef {import("./plan.js").SitePlan} SitePlan
 * @typedef {import("./plan.js").Queue} Queue
 * @typedef {import("./plan.js").Room} Room
 * @typedef {import("./plan.js").Period} Period
 * @typedef {SitePlan & {key: string, title: string, description: string}} Template
 */

const MONDAY = Date.UTC(2024, 0, 1);
const DAY_MS = 86_400_000;

/**
 * @param {Site} site
 * @param {{done: () => void, back: () => unknown}} ways
 */
export async function startServices(site, { done, back }) {
  const form = /** @type {HTMLFormElement} */ (find("form[data-services]"));
  const list = find("[data-templates]", form);
  /** @type {HTMLButtonElement} */ (find("[data-back]", form)).onclick = back;
  const { body, error } = await ask(`/api/v1/sites/${site.id}/templates?language=${encodeURIComponent(currentLanguage())}`);
  if (error !== undefined) throw new Error(`the templates answered ${error.code}`);
  /** @type {Template[]} */
  const templates = body.templates;
  const editor = new Editor(find("[data-plan]", form));
  list.replaceChildren(
    ...templates.map((template, place) => {
      const radio = element("input", { type: "radio", name: "template", value: template.key, checked: place === 0 });
      radio.addEventListener("change", () => editor.show(new Plan(template)));
      return element(
        "label",
        { className: "template" },
        radio,
        element("span", { className: "template-name" }, template.title),
        element("span", { className: "template-about" }, template.description),
      );
    }),
  );
  // Enter ends a name; only the button opens the clinic.
  find("[data-plan]", form).onkeydown = (event) => {
    const { target } = event;
    if (event.key !== "Enter" || !(target instanceof HTMLInputElement)) return;
    event.preventDefault();
    target.dispatchEvent(new Event("change"));
  };
  const [first] = templates;
  if (first !== undefined) editor.show(new Plan(first));

  onSubmit(form, async () => {
    if (!editor.check()) return;
    const template = find("[name=template]:checked", form).getAttribute("value");
    const made = await ask(`/api/v1/sites/${site.id}/services`, { method: "POST", body: { template, ...editor.plan.toSite() } });
    if (made.error === undefined || made.error.code === "nothing_changed") done();
    else setText(find("[data-form-error]", form), textOf(made.error));
  });
}

/** The queues, rooms and hours of a plan, each to edit. */
class Editor {
  #root;
  plan = new Plan({ queues: [], points: [], displays: [], hours: [] });
  /** The error of each record. @type {Map<unknown, HTMLElement>} */
  #errors = new Map();

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
  }

  /** @param {Plan} plan */
  show(plan) {
    this.plan = plan;
    this.#paint();
  }

  /** Show the problems of the plan, and return whether it has none. */
  check() {
    for (const each of this.#errors.values()) setText(each, "");
    const problems = this.plan.problems();
    for (const { key, about } of problems) {
      const error = this.#errors.get(about);
      if (error !== undefined && error.textContent === "") setText(error, t(key));
    }
    const [first] = problems;
    if (first === undefined) return true;
    const beside = this.#errors.get(first.about)?.closest("[data-record]") ?? this.#root;
    /** @type {HTMLElement | null} */ (beside.querySelector("input, button"))?.focus();
    return false;
  }

  #paint() {
    this.#errors.clear();
    this.#root.replaceChildren(this.#queues(), this.#rooms(), this.#hours());
  }

  /**
   * Paint again after a record came or went, and put the focus where the user goes on.
   *
   * @param {string} group
   * @param {"last" | "add"} at
   */
  #repaint(group, at) {
    this.#paint();
    const within = find(`[data-group=${group}]`, this.#root);
    const inputs = /** @type {NodeListOf<HTMLInputElement>} */ (within.querySelectorAll("[data-record-name]"));
    const last = inputs[inputs.length - 1];
    if (at === "last" && last !== undefined) last.select();
    else /** @type {HTMLElement} */ (find("[data-add]", within)).focus();
  }

  #queues() {
    const rows = this.plan.queues.map((queue) => {
      const letter = element("input", { className: "plan-letter", value: queue.prefix, maxLength: 1, ariaLabel: t("welcome.plan.letter", { name: queue.name }) });
      letter.autocapitalize = "characters";
      letter.addEventListener("change", () => {
        queue.prefix = /^[a-z]$/i.test(letter.value) ? letter.value.toUpperCase() : queue.prefix;
        letter.value = queue.prefix;
      });
      return this.#row("queues", queue, t("welcome.plan.queue_name"), () => this.plan.removeQueue(queue), letter);
    });
    const add = () => this.plan.addQueue(t("welcome.plan.new_queue", { n: this.plan.queues.length + 1 }));
    return this.#group("queues", t("welcome.plan.queues"), t("welcome.plan.queues.hint"), rows, t("welcome.plan.add_queue"), add);
  }

  #rooms() {
    const rows = this.plan.rooms.map((room) => {
      const row = this.#row("rooms", room, t("welcome.plan.room_name"), () => this.plan.removeRoom(room));
      if (this.plan.queues.length > 1) row.append(this.#served(room));
      return row;
    });
    const add = () => this.plan.addRoom(t("welcome.plan.new_room", { n: this.plan.rooms.length + 1 }));
    return this.#group("rooms", t("welcome.plan.rooms"), t("welcome.plan.rooms.hint"), rows, t("welcome.plan.add_room"), add);
  }

  /**
   * Return the choice of the queues that a room calls from.
   *
   * @param {Room} room
   */
  #served(room) {
    const chips = this.plan.queues.map((queue) => {
      const check = element("input", { type: "checkbox", checked: room.queues.has(queue) });
      check.addEventListener("change", () => (check.checked ? room.queues.add(queue) : room.queues.delete(queue)));
      return element("label", { className: "choice is-small" }, check, element("span", {}, queue.name));
    });
    const set = element("fieldset", { className: "plan-served" }, element("legend", { className: "hidden" }, t("welcome.plan.served", { name: room.name })));
    set.append(...chips);
    return set;
  }

  #hours() {
    const always = element("input", { type: "radio", name: "hours", checked: this.plan.alwaysOpen });
    const these = element("input", { type: "radio", name: "hours", checked: !this.plan.alwaysOpen });
    const table = element("div", { className: "plan-hours", hidden: this.plan.alwaysOpen }, ...DAYS.map((day) => this.#day(day)));
    const choose = () => {
      this.plan.alwaysOpen = always.checked;
      table.hidden = always.checked;
    };
    always.addEventListener("change", choose);
    these.addEventListener("change", choose);
    const choice = element(
      "div",
      { className: "choice-list" },
      element("label", { className: "choice" }, these, t("welcome.plan.hours.these")),
      element("label", { className: "choice" }, always, t("welcome.plan.hours.always")),
    );
    const group = element("fieldset", { className: "plan-group" }, element("legend", {}, t("welcome.plan.hours")), choice, table);
    group.dataset.group = "hours";
    return group;
  }

  /** @param {number} day */
  #day(day) {
    const name = new Intl.DateTimeFormat(currentLanguage(), { weekday: "long", timeZone: "UTC" }).format(MONDAY + day * DAY_MS);
    const periods = this.plan.periodsOf(day);
    const check = element("input", { type: "checkbox", checked: periods.length > 0 });
    const row = element("div", { className: "plan-day" }, element("label", { className: "check" }, check, element("span", {}, name)));
    row.dataset.record = "";
    check.addEventListener("change", () => {
      this.plan.openOn(day, check.checked);
      const fresh = this.#day(day);
      row.replaceWith(fresh);
      /** @type {HTMLElement} */ (find("input", fresh)).focus();
    });
    for (const period of periods) row.append(this.#period(name, period));
    if (periods.length === 0) row.append(element("span", { className: "plan-closed" }, t("welcome.plan.closed")));
    return row;
  }

  /**
   * @param {string} day
   * @param {Period} period
   */
  #period(day, period) {
    /** @param {1 | 2} end @param {string} label */
    const time = (end, label) => {
      const input = element("input", { type: "time", value: clockText(period[end]), ariaLabel: `${day}: ${label}`, required: true });
      input.addEventListener("change", () => {
        const minutes = minutesOf(input.value);
        if (minutes !== null) period[end] = end === 2 && minutes === 0 ? 1440 : minutes;
      });
      return input;
    };
    const error = element("p", { className: "field-error", role: "alert" });
    this.#errors.set(period, error);
    return element("span", { className: "plan-period" }, time(1, t("welcome.plan.from")), element("span", { ariaHidden: "true" }, "–"), time(2, t("welcome.plan.until")), error);
  }

  /**
   * @param {string} id
   * @param {string} title
   * @param {string} hint
   * @param {HTMLElement[]} rows
   * @param {string} more
   * @param {() => unknown} add
   */
  #group(id, title, hint, rows, more, add) {
    const button = element("button", { className: "button is-quiet plan-add", type: "button" }, `+ ${more}`);
    button.dataset.add = "";
    button.addEventListener("click", () => {
      add();
      this.#repaint(id, "last");
    });
    const error = element("p", { className: "field-error", role: "alert" });
    if (id === "queues") this.#errors.set(null, error);
    const legend = element("legend", {}, title, " ", element("span", { className: "plan-count" }, formatNumber(rows.length)));
    const group = element("fieldset", { className: "plan-group" }, legend, element("p", { className: "field-hint" }, hint), error, ...rows, button);
    group.dataset.group = id;
    return group;
  }

  /**
   * @param {string} group
   * @param {Queue | Room} record
   * @param {string} label
   * @param {() => void} remove
   * @param {...HTMLElement} before
   */
  #row(group, record, label, remove, ...before) {
    const name = element("input", { value: record.name, maxLength: 80, ariaLabel: label });
    name.dataset.recordName = "";
    name.addEventListener("change", () => {
      record.name = name.value;
      if (group === "queues") this.#paintRooms();
    });
    const error = element("p", { className: "field-error", role: "alert" });
    this.#errors.set(record, error);
    const button = element("button", { className: "button is-quiet", type: "button", ariaLabel: t("welcome.plan.remove", { name: record.name }) }, "✕");
    button.addEventListener("click", () => {
      remove();
      this.#repaint(group, "add");
    });
    const row = element("div", { className: "plan-row" }, ...before, name, button, error);
    row.dataset.record = "";
    return row;
  }

  /** Paint the rooms again: they show the names of the queues. */
  #paintRooms() {
    find("[data-group=rooms]", this.#root).replaceWith(this.#rooms());
  }
}

/** Return minutes after midnight as a field for times takes them. @param {number} minutes */
const clockText = (minutes) => `${String(Math.floor(minutes / 60) % 24).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;

/** Return the minutes after midnight of a field for times, or null without a time. @param {string} text */
function minutesOf(text) {
  const found = /^(\d\d):(\d\d)/.exec(text);
  return found === null ? null : Number(found[1]) * 60 + Number(found[2]);
}
