/** The figures of messages: what became of them, and the missed appointments with and without a reminder. */

import { element } from "../shared/dom.js";
import { formatNumber, t } from "../shared/i18n.js";
import { barChart } from "./chart.js";

/**
 * @typedef {import("./context.js").Context} Context
 * @typedef {{appointments: number, missed: number}} Attendance
 * @typedef {{kind: string, way: string} & Record<string, number>} Figures
 */

const OUTCOMES = ["sent", "delivered", "undelivered", "unknown", "failed", "suppressed", "expired"];
const RECEIPTS = new Set(["delivered", "undelivered"]);
const LEAST = 20; // appointments: a rate of fewer says nothing

/**
 * Append the figures of a span of days.
 *
 * @param {HTMLElement} root
 * @param {Context} context
 * @param {URLSearchParams} query  its first and last day
 */
export async function showMessageFigures(root, context, query) {
  const { messages, reminded, not_reminded: others } = await context.ask(`/api/v1/sites/${context.site.id}/messages/statistics?${query}`);
  if (messages.length === 0) return; // the clinic sends none
  /** @type {Map<string, number>} */
  const sent = new Map();
  for (const each of /** @type {Figures[]} */ (messages)) sent.set(each.kind, (sent.get(each.kind) ?? 0) + (each.sent ?? 0));
  const labels = [...sent.keys()].map(kindName);
  root.append(await barChart({ title: t("admin.figures.sent"), of: t("admin.messages.kind"), labels, values: [...sent.values()] }, context.signal));
  root.append(tableOf(messages));
  const rates = [reminded, others].map(rateOf);
  const groups = [t("admin.figures.reminded"), t("admin.figures.not_reminded")];
  const missed = await barChart({ title: t("admin.figures.missed"), of: t("admin.figures.appointments"), labels: groups, values: rates }, context.signal);
  missed.append(element("p", { className: "field-hint" }, t("admin.figures.missed.hint")));
  root.append(missed);
}

/** Return the percentage of missed appointments, or null for too few. @param {Attendance} attendance */
const rateOf = ({ appointments, missed }) => (appointments < LEAST ? null : Math.round((1000 * missed) / appointments) / 10);

/** @param {string} kind */
const kindName = (kind) => t(`admin.messages.kind.${kind}`);

/** @param {Figures[]} messages */
function tableOf(messages) {
  const title = t("admin.figures.outcomes");
  const headings = [t("admin.messages.kind"), t("admin.messages.to"), ...OUTCOMES.map((each) => t(RECEIPTS.has(each) ? `admin.figures.${each}` : `admin.messages.state.${each}`))];
  const rows = messages.map((each) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, kindName(each.kind)),
      element("td", {}, t(`admin.channels.way.${each.way}`)),
      ...OUTCOMES.map((outcome) => element("td", {}, formatNumber(each[outcome] ?? 0))),
    ),
  );
  const table = element(
    "table",
    { className: "table" },
    element("thead", {}, element("tr", {}, ...headings.map((heading) => element("th", { scope: "col" }, heading)))),
    element("tbody", {}, ...rows),
  );
  return element(
    "section",
    { className: "group" },
    element("h2", {}, title),
    element("div", { className: "table-room", tabIndex: 0, role: "region", "aria-label": title }, table),
  );
}
