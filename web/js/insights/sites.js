/** Several sites beside each other: the choice of the sites, and a card with their figures and those of all of them. */

import { element, find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { columnsOf, defined, nameOf, series, tilesOf } from "./cards.js";
import { missingText } from "./texts.js";
import { fieldOf } from "./values.js";

/**
 * @typedef {import("./card.js").Card} Card
 * @typedef {import("../shared/session.js").Site} Site
 * @typedef {Record<string, any>} Compared  the answer of the server
 */

export const MOST = 5;
const GOAL = 90;

/**
 * Show the sites to choose from, and tell every later choice: `all`, or ids with commas.
 *
 * @param {Site[]} sites
 * @param {string} chosen
 * @param {(chosen: string) => void} choose
 */
export function showSiteChoice(sites, chosen, choose) {
  const box = find("[data-sites]");
  const hint = element("p", { className: "field-hint", role: "status" });
  const all = element("input", { type: "checkbox", checked: chosen === "all" });
  const ids = new Set(chosen.split(","));
  const boxes = sites.map(({ id }) => element("input", { type: "checkbox", value: String(id), checked: ids.has(String(id)) }));
  const picked = () => boxes.filter(({ checked }) => checked);
  const limit = () => {
    const full = picked().length >= MOST;
    for (const each of boxes) each.disabled = full && !each.checked;
    setText(hint, full && boxes.length > MOST ? t("insights.sites.most", { n: MOST }) : "");
  };
  const tell = () => {
    limit();
    choose(all.checked ? "all" : picked().map(({ value }) => value).join(","));
  };
  all.addEventListener("change", () => {
    if (all.checked) for (const each of boxes) each.checked = false;
    else for (const each of boxes.slice(0, MOST)) each.checked = true;
    tell();
  });
  for (const each of boxes) {
    each.addEventListener("change", () => {
      all.checked = picked().length === 0;
      tell();
    });
  }
  const label = (/** @type {HTMLInputElement} */ input, /** @type {string} */ text) => element("label", { className: "check" }, input, element("span", {}, text));
  const list = element("div", { className: "site-list" }, label(all, t("insights.sites.all")), ...sites.map(({ name }, index) => label(/** @type {HTMLInputElement} */ (boxes[index]), name)));
  box.replaceChildren(element("legend", {}, t("insights.sites")), list, hint);
  box.hidden = false;
  limit();
}

/**
 * Return the cards of a comparison: the waits, and the promises.
 *
 * @param {Compared} answer
 * @param {Compared | null} then  of the period before
 * @param {string} csv  the address of the export
 * @returns {Card[]}
 */
export function cardsOfSites({ total, sites }, then, csv) {
  const labels = sites.map((/** @type {any} */ { name }) => name);
  const of = t("insights.site");
  const groups = [...sites, { ...total, name: t("insights.sites.together") }];
  const columns = columnsOf();
  const table = {
    caption: t("insights.sites.table"),
    columns: [{ name: of }, ...columns.map(([name, definition]) => ({ name, definition }))],
    rows: groups.map((/** @type {any} */ group) => [group.name, ...columns.map(([, , text]) => text(group))]),
  };
  const seconds = (/** @type {string} */ field) => sites.map((/** @type {any} */ each) => fieldOf(each.wait, field));
  const percents = sites.map((/** @type {any} */ { promises }) => (promises.hidden === null && promises.count > 0 ? Math.round((100 * promises.held) / promises.count) : promises.hidden));
  return [
    {
      id: "sites",
      title: t("insights.card.sites"),
      lead: t("insights.card.sites.lead"),
      tiles: tilesOf(total, then?.total ?? null),
      plots: [
        {
          title: t("insights.plot.sites"),
          definition: defined("wait", "median", "p90", "business_day"),
          chart: { of, labels, unit: "minutes", series: [series(nameOf("median"), "bar", seconds("median_seconds")), series(nameOf("p90"), "hatched", seconds("p90_seconds"))] },
        },
        {
          title: t("insights.plot.sites_promises"),
          definition: defined("promises", "held", "goal"),
          chart: { of, labels, unit: "percent", series: [series(nameOf("held"), "bar", percents), series(nameOf("goal"), "dotted", percents.map(() => GOAL))] },
        },
      ],
      tables: [table],
      csv,
    },
  ];
}

/**
 * Return the notes about the period: sites whose days are not counted yet.
 *
 * @param {Compared} answer
 */
export const notesOfSites = ({ sites }) =>
  sites
    .filter((/** @type {any} */ { missing }) => missing !== null)
    .map((/** @type {any} */ { name, missing }) => t("insights.pair", { one: name, other: missingText(missing) }));
