/** "What if": the waits of the chosen day, with one point more or other head starts. */

import { errorMessage } from "../desk/error-messages.js";
import { element, find, setText } from "../shared/dom.js";
import { formatNumber, t } from "../shared/i18n.js";
import { dayOf } from "../shared/local-time.js";
import { ask } from "../shared/staff-requests.js";
import { guessedOffset, withOffset } from "./instants.js";

/**
 * @typedef {import("../shared/session.js").Site} Site
 * @typedef {{called: number, median_seconds: number | null, p90_seconds: number | null, longest_seconds: number | null,
 *   waiting: number}} Waits
 * @typedef {{real: Waits, control: Waits, changed: Waits, left_out: {type: string, count: number}[]}} Compared
 */

const MINUTE_SECONDS = 60;
const ROWS = /** @type {const} */ (["real", "control", "changed"]);

/**
 * Connect the section. It asks for the day that the page has chosen.
 *
 * @param {Site} site
 * @param {() => string} chosenDay  YYYY-MM-DD
 */
export function connectWhatIf(site, chosenDay) {
  const section = find("[data-what-if]");
  section.hidden = false;
  offerPoints([]);
  const button = /** @type {HTMLButtonElement} */ (find("[data-compute]", section));
  find("[data-changes]", section).addEventListener("submit", async (event) => {
    event.preventDefault();
    const day = chosenDay();
    const query = queryOf(site, day);
    const status = find("[data-computing]", section);
    if (query === null) {
      setText(status, t(day === "" ? "replay.choose_time" : "replay.what_if.hours"));
      return;
    }
    button.disabled = true;
    setText(status, t("replay.what_if.computing"));
    const { body, error } = await ask(`/api/v1/sites/${site.id}/what-if?${query}`).catch(() => ({ body: null, error: { code: "unreachable", details: {} } }));
    button.disabled = false;
    find("[data-waits]", section).replaceChildren(...(error === undefined ? [tableOf(body, dayOf(day)), ...notesOf(body)] : []));
    setText(status, error === undefined ? t("replay.what_if.done", { day: dayOf(day) }) : errorMessage(error));
  });
}

/**
 * Offer the points that one more may be like.
 *
 * @param {{id: number, name: string}[]} points
 */
export function offerPoints(points) {
  const select = /** @type {HTMLSelectElement} */ (find("[data-like]"));
  select.replaceChildren(element("option", { value: "" }, t("replay.what_if.none")), ...points.map(({ id, name }) => element("option", { value: String(id) }, name)));
}

/**
 * Return the query for the chosen changes; null if a choice lacks.
 *
 * @param {Site} site
 * @param {string} day
 */
function queryOf(site, day) {
  if (day === "") return null;
  const query = new URLSearchParams({ business_day: day });
  const like = /** @type {HTMLSelectElement} */ (find("[data-like]")).value;
  if (like !== "") {
    const [from, until] = ["from", "until"].map((name) => /** @type {HTMLInputElement} */ (find(`[data-${name}]`)).value);
    if (!from || !until || from >= until) return null;
    query.set("like_point", like);
    query.set("from", instantOf(`${day}T${from}`, site));
    query.set("until", instantOf(`${day}T${until}`, site));
  }
  for (const input of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("[data-rule]"))) {
    if (input.value !== "") query.set(input.dataset.rule ?? "", input.value);
  }
  return query;
}

/** @param {string} local @param {Site} site */
function instantOf(local, site) {
  const minutes = guessedOffset(local, site.time_zone);
  return withOffset(Date.parse(`${local}Z`) - minutes * 60_000, minutes);
}

/** @param {Compared} compared @param {string} day */
function tableOf(compared, day) {
  const heads = ["row", "called", "median", "p90", "longest", "waiting"].map((name) => element("th", { scope: "col" }, t(`replay.waits.${name}`)));
  const rows = ROWS.map((name) => {
    const { called, median_seconds: median, p90_seconds: p90, longest_seconds: longest, waiting } = compared[name];
    const cells = [formatNumber(called), lasting(median), lasting(p90), lasting(longest), formatNumber(waiting)];
    return element("tr", {}, element("th", { scope: "row" }, t(`replay.waits.${name}`)), ...cells.map((text) => element("td", {}, text)));
  });
  const table = element("table", {}, element("caption", {}, t("replay.waits", { day })), element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows));
  return element("div", { className: "replay-scroll", tabIndex: 0, role: "region", "aria-label": t("replay.waits", { day }) }, table);
}

/** @param {number | null} seconds */
const lasting = (seconds) => (seconds === null ? t("replay.waits.few") : t("replay.waits.minutes", { minutes: Math.round(seconds / MINUTE_SECONDS) }));

/** @param {Compared} compared */
function notesOf({ left_out: leftOut }) {
  const steps = leftOut.reduce((sum, { count }) => sum + count, 0);
  const notes = [t("replay.waits.definition"), ...(steps === 0 ? [] : [t("replay.waits.left_out", { n: steps })])];
  return notes.map((text) => element("p", { className: "replay-note" }, text));
}
