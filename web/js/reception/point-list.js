import { isPastCall, stageText } from "../desk/entry-texts.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { guestOf } from "./desk.js";

/**
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("./desk.js").Point} Point
 */

/**
 * Show every point and its guest. A point is a button if the user may open, pause and staff it.
 *
 * @param {HTMLElement} list
 * @param {Desk} desk
 * @param {{mine: number | null, now: number, mayWork: boolean}} look  `mine`: the id of the user's point
 */
export function showPoints(list, desk, { mine, now, mayWork }) {
  updateList(list, desk.points, ({ id }) => id, (point) => makePoint(point, mayWork), (row, point) => {
    const guest = guestOf(desk, point);
    const provider = desk.providers.find(({ id }) => id === point.provider);
    const state = guest?.state ?? (point.state === "open" ? "free" : point.state);
    row.dataset.state = state;
    row.classList.toggle("is-mine", point.id === mine);
    row.classList.toggle("is-past-call", guest !== null && isPastCall(guest, now));
    setText(find(".point-name", row), point.name);
    setText(find(".point-provider", row), provider?.name ?? "");
    setText(find(".point-ticket", row), guest?.label ?? "");
    setText(find(".point-state", row), guest === null ? t(`point.${state}`) : stageText(guest, now));
  });
}

/**
 * @param {Point} point
 * @param {boolean} mayWork
 */
function makePoint(point, mayWork) {
  const parts = ["point-name", "point-ticket", "point-provider", "point-state"].map((className) => element("span", { className }));
  const body = mayWork
    ? element("button", { type: "button", className: "row-button point-button" }, ...parts)
    : element("div", { className: "point-button" }, ...parts);
  const row = element("li", { className: "point-row" }, body);
  row.dataset.point = String(point.id);
  return row;
}

/**
 * Offer the points to choose the user's own from. The choice stays.
 *
 * @param {HTMLSelectElement} select  its first option stands for no point
 * @param {Desk} desk
 * @param {number | null} mine
 */
export function offerPoints(select, desk, mine) {
  const wanted = desk.points.map(({ id, name }) => `${id} ${name}`).join("\n");
  if (select.dataset.offered !== wanted) {
    select.dataset.offered = wanted;
    const none = element("option", { value: "" }, t("desk.choose_point"));
    select.replaceChildren(none, ...desk.points.map(({ id, name }) => element("option", { value: String(id) }, name)));
  }
  const chosen = mine === null ? "" : String(mine);
  if (select.value !== chosen) select.value = chosen; // an open list would lose the option that the user is at
}
