import { element, find, setText, updateList } from "../shared/dom.js";
import { formatTime, t } from "../shared/i18n.js";

/**
 * @typedef {import("./desk.js").Entry} Entry
 * @typedef {Entry & {doubt: import("../live/cells.js").Outage}} Doubtful
 */

/** The answers by the state of the entry: commands. The first one keeps the patient at the point. */
const ANSWERS = { called: ["confirm", "recall", "return", "no-show"], serving: ["confirm", "complete"] };

/**
 * Ask "Still valid?" about each call and service from before an outage, in a band that stays until every question has its
 * answer. Any other command on the entry answers it, too.
 *
 * @param {import("./state.js").DeskState} state
 * @param {import("./actions.js").DeskActions} actions
 */
export function showDoubts(state, actions) {
  const { orders, site } = state;
  const title = element("h2", { id: "doubts-title" }, t("doubt.title"));
  const lead = element("p", { role: "status" });
  const all = ["confirm", "return"].map((name) => answerButton(name, t(`doubt.all.${name}`), "button"));
  const list = element("ol", {});
  const band = element("section", { className: "doubts", "aria-labelledby": title.id, "data-doubts": "" }, element("header", { className: "doubts-head" }, element("div", {}, title, lead), element("div", { className: "doubt-answers" }, ...all)), list);
  find(".desk-notices").prepend(band);

  const doubtful = () => /** @type {Doubtful[]} */ ([...state.desk.entries.values()].filter(({ doubt }) => doubt !== null)).sort((one, other) => one.since - other.since || one.id - other.id);
  const pointOf = (/** @type {Entry} */ { point }) => state.desk.points.find(({ id }) => id === point)?.name ?? "";
  const answer = (/** @type {string} */ name, /** @type {Entry} */ entry) => actions.run(name, { entry_id: entry.id }, { label: entry.label, point: pointOf(entry) });

  function paint() {
    const asked = doubtful();
    band.hidden = asked.length === 0;
    const [first] = asked;
    if (first === undefined) return;
    const time = (/** @type {number} */ at) => formatTime(at, site.time_zone);
    setText(lead, t("doubt.lead", { from: time(first.doubt.offline_from), until: time(first.doubt.offline_until) }));
    const called = asked.filter(({ state: at }) => at === "called");
    for (const button of all) button.hidden = (button.dataset.answer === "return" ? called : asked).length < 2;
    updateList(list, asked, ({ id, state: at }) => `${id} ${at}`, makeQuestion, (row, entry) => {
      setText(find(".doubt-ticket", row), entry.label);
      setText(find(".doubt-name", row), entry.name ?? "");
      setText(find(".doubt-where", row), t(`doubt.${entry.state}`, { point: pointOf(entry), time: time(entry.since) }));
    });
  }

  /**
   * Answer one question, or all, one command after the other. Then the focus goes to the next question.
   *
   * @param {string} name
   * @param {Entry[]} entries
   * @param {number} at  the place of the question in the list
   */
  async function answerEach(name, entries, at) {
    for (const entry of entries) await answer(name, entry);
    paint();
    if (document.activeElement !== document.body && !band.contains(document.activeElement)) return; // the user went on
    const rows = list.children;
    const next = rows[Math.min(at, rows.length - 1)];
    (next?.querySelector("button") ?? /** @type {HTMLElement | null} */ (document.querySelector("[data-search]")))?.focus();
  }

  band.addEventListener("click", ({ target }) => {
    const button = target instanceof Element ? target.closest("[data-answer]") : null;
    if (!(button instanceof HTMLButtonElement) || orders.doing) return;
    const name = button.dataset.answer ?? "";
    const row = button.closest("li");
    const asked = doubtful();
    const chosen = row === null ? asked.filter(({ state: at }) => name === "confirm" || at === "called") : asked.filter(({ id }) => String(id) === row.dataset.doubt);
    void answerEach(name, chosen, row === null ? 0 : [...list.children].indexOf(row));
  });
  orders.addEventListener("change", () => {
    if (orders.doing) band.setAttribute("aria-busy", "true");
    else band.removeAttribute("aria-busy");
  });
  state.addEventListener("change", paint);
  paint();
}

/** @param {Doubtful} entry */
function makeQuestion({ id, label, state }) {
  const answers = ANSWERS[/** @type {keyof typeof ANSWERS} */ (state)] ?? [];
  const row = element(
    "li",
    { className: "doubt" },
    element("p", { className: "doubt-words" }, element("strong", { className: "doubt-ticket" }), " ", element("span", { className: "doubt-name" }), " ", element("span", { className: "doubt-where" })),
    element("div", { className: "doubt-answers", role: "group", "aria-label": t("doubt.group", { label }) }, ...answers.map((name) => answerButton(name, t(`doubt.${name}`)))),
  );
  row.dataset.doubt = String(id);
  return row;
}

/**
 * @param {string} name
 * @param {string} text
 * @param {string} [className]
 */
function answerButton(name, text, className = name === "confirm" ? "button is-primary" : "button") {
  const button = element("button", { type: "button", className }, text);
  button.dataset.answer = name;
  return button;
}
