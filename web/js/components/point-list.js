import { guestOf, minutesBetween } from "./desk.js";
import { arrange, element, find, say } from "../dom.js";
import { t } from "../i18n.js";

/**
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("./desk.js").Point} Point
 */

/**
 * Show every point and who is there.
 *
 * @param {HTMLElement} list
 * @param {Desk} desk
 * @param {number | null} mine  the id of the point of whoever is looking
 * @param {number} now
 */
export function showPoints(list, desk, mine, now) {
  arrange(list, desk.points, ({ id }) => id, makePoint, (row, point) => {
    const guest = guestOf(desk, point);
    row.dataset.state = guest?.state ?? "free";
    row.classList.toggle("is-mine", point.id === mine);
    say(find(".point-name", row), point.name);
    say(find(".point-ticket", row), guest?.label ?? "");
    say(find(".point-state", row), guest === null ? t("point.free") : happening(guest, now));
  });
}

/**
 * @param {import("./desk.js").Entry} guest
 * @param {number} now
 */
function happening({ state, since }, now) {
  const n = minutesBetween(since, now);
  return t(n === 0 ? `point.${state}.now` : `point.${state}`, { n });
}

/** @param {Point} point */
function makePoint(point) {
  const row = element(
    "li",
    { className: "point-row" },
    element("span", { className: "point-name" }),
    element("span", { className: "point-ticket" }),
    element("span", { className: "point-state" }),
  );
  row.dataset.point = String(point.id);
  return row;
}

/**
 * Offer the points to choose one's own from, keeping what is chosen.
 *
 * @param {HTMLSelectElement} select  its first option stands for none
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
  select.value = mine === null ? "" : String(mine);
}
