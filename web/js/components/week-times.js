import { element, find, setText, updateList } from "../shared/dom.js";
import { formatDate, formatNumber, formatWeekday, t } from "../shared/i18n.js";
import { dateAfter, dayOf } from "../shared/local-time.js";
import { freeTimes } from "./free-times.js";

/**
 * @typedef {import("./free-times.js").Slot} Slot
 * @typedef {(from: string, until: string) => Promise<Slot[]>} Load  returns the free times of some local dates
 */

const WEEK = 7;
const MOST_WEEKS = 9;

/**
 * The choice of a day and a time. It opens at the first day with a free time, shows a week of days, and the times of one of
 * them.
 */
export class WeekTimes {
  #root;
  #load;
  #choose;
  #times;
  #name;
  /** The first date that may be shown. */
  #today = "";
  #from = "";
  #day = "";
  /** @type {Slot[]} */
  #slots = [];
  /** Whether any day from today on has a free time. */
  #any = true;
  /** The latest request: the answer of an earlier one comes too late. */
  #asked = 0;

  /**
   * @param {HTMLElement} parent  an empty element; gets the class `week-times`
   * @param {Load} load  may reject
   * @param {(slot: Slot | null) => void} choose  called when the user chooses a time, and with null when it is gone
   * @param {string} name  of the inputs
   */
  constructor(parent, load, choose, name) {
    this.#root = parent;
    this.#load = load;
    this.#choose = choose;
    this.#name = name;
    parent.classList.add("week-times");
    const step = (/** @type {string} */ key, /** @type {number} */ days) => {
      const button = element("button", { type: "button", className: "button is-quiet week-step" }, element("span", { className: "hidden" }));
      button.dataset.step = key;
      button.addEventListener("click", () => void this.#go(days));
      return button;
    };
    const list = element("div", { className: "times" });
    parent.append(
      element(
        "div",
        { className: "week" },
        element("div", { className: "week-head" }, step("earlier", -WEEK), element("p", { className: "week-range", ariaHidden: "true" }), step("later", WEEK)),
        element("fieldset", { className: "week-days" }, element("legend", { className: "hidden" }), element("div", { className: "week-list" })),
      ),
      element("p", { className: "times-problem", role: "status" }),
      list,
    );
    this.#times = freeTimes(list, (slot) => this.#choose(slot), `${name}-time`);
    find(".week-list", parent).addEventListener("change", ({ target }) => {
      this.#day = /** @type {HTMLInputElement} */ (target).value;
      this.#showTimes();
    });
    this.repaint();
  }

  /** The chosen time. @returns {Slot | null} */
  get chosen() {
    return this.#times.chosen;
  }

  /**
   * Show the first free times from a date on, or those of a wanted time.
   *
   * @param {string} today  the site's date
   * @param {{local_start: string, fold: number} | null} [wanted]
   */
  async open(today, wanted = null) {
    this.#today = this.#from = today;
    this.#day = wanted?.local_start.slice(0, 10) ?? "";
    if (this.#day > today) {
      const days = Math.floor((Date.parse(this.#day) - Date.parse(today)) / 86_400_000);
      this.#from = dateAfter(today, days - (days % WEEK));
    }
    this.#times.select(wanted);
    await this.#show(true);
    // The earlier list stays in use while the new one is on its way: a choice in it counts.
    if (this.#times.chosen === null) this.#times.select(wanted);
  }

  /** Ask for the same days again: somebody may have taken a time. */
  async refresh() {
    if (this.#from !== "") await this.#show(false);
  }

  /** Paint the texts in another language. */
  repaint() {
    for (const button of this.#root.querySelectorAll(".week-step")) {
      setText(find("span", button), t(/** @type {HTMLElement} */ (button).dataset.step === "later" ? "times.later" : "times.earlier"));
    }
    setText(find(".week-days legend", this.#root), t("times.days"));
    if (this.#from !== "") this.#paint();
  }

  /** Move the focus to the chosen day. */
  focus() {
    const input = /** @type {HTMLElement | null} */ (this.#root.querySelector(".week-list :checked"));
    input?.focus();
  }

  /** @param {number} days */
  async #go(days) {
    this.#from = dateAfter(this.#from, days);
    if (this.#from < this.#today) this.#from = this.#today;
    this.#day = "";
    await this.#show(days > 0);
  }

  /** @param {boolean} ahead  look further ahead if the week has no free time */
  async #show(ahead) {
    const asked = (this.#asked += 1);
    this.#times.wait();
    const problem = find(".times-problem", this.#root);
    try {
      let from = this.#from;
      let found = await this.#load(from, dateAfter(from, WEEK - 1));
      // A busy clinic may be full for weeks: look at one week after the other, so that each answer stays small.
      for (let week = 1; found.length === 0 && ahead && week < MOST_WEEKS && asked === this.#asked; week += 1) {
        from = dateAfter(from, WEEK);
        found = await this.#load(from, dateAfter(from, WEEK - 1));
      }
      if (asked !== this.#asked) return;
      this.#any = found.length > 0 || !ahead;
      if (found.length > 0) this.#from = from;
      this.#slots = found;
      setText(problem, "");
    } catch {
      if (asked !== this.#asked) return;
      this.#slots = [];
      setText(problem, t("times.failed"));
    }
    this.#paint();
  }

  #paint() {
    const free = new Set(this.#slots.map(({ local_start: local }) => local.slice(0, 10)));
    if (!free.has(this.#day)) this.#day = [...free][0] ?? "";
    const dates = Array.from({ length: WEEK }, (_, day) => dateAfter(this.#from, day));
    updateList(
      find(".week-list", this.#root),
      dates,
      (date) => date,
      (date) => this.#makeDay(date),
      (day, date) => {
        const at = Date.parse(`${date}T00:00Z`);
        const input = /** @type {HTMLInputElement} */ (find("input", day));
        input.disabled = !free.has(date);
        input.checked = date === this.#day;
        input.setAttribute("aria-label", input.disabled ? t("times.full", { day: dayOf(date) }) : dayOf(date));
        setText(find(".week-day-name", day), formatWeekday(at, "UTC"));
        setText(find(".week-day-date", day), formatNumber(new Date(at).getUTCDate()));
      },
    );
    const [from, until] = [dates[0], dates[WEEK - 1]].map((date) => formatDate(Date.parse(`${date}T00:00Z`), "UTC"));
    setText(find(".week-range", this.#root), `${from} – ${until}`);
    /** @type {HTMLButtonElement} */ (find('[data-step="earlier"]', this.#root)).disabled = this.#from <= this.#today;
    this.#showTimes();
  }

  #showTimes() {
    const before = this.#times.chosen;
    this.#times.show(this.#slots.filter(({ local_start: local }) => local.startsWith(this.#day) && this.#day !== ""));
    const problem = find(".times-problem", this.#root);
    const none = find(".free-none", this.#root);
    if (this.#slots.length === 0) {
      if (problem.textContent !== "") setText(none, "");
      else setText(none, t(this.#any ? "times.none" : "times.none_at_all"));
    }
    if (before !== null && this.#times.chosen === null) this.#choose(null);
  }

  /** @param {string} date */
  #makeDay(date) {
    return element(
      "label",
      { className: "week-day" },
      element("input", { type: "radio", name: `${this.#name}-day`, value: date }),
      element("span", { className: "week-day-name", ariaHidden: "true" }),
      element("span", { className: "week-day-date", ariaHidden: "true" }),
    );
  }
}
