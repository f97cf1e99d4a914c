/** The section of the audit: its records by filter, their export, and the check of the log. */

import { errorMessage } from "../desk/error-messages.js";
import { element, setText } from "../shared/dom.js";
import { formatDay, formatTime, t } from "../shared/i18n.js";
import { namesOfActors } from "./actors.js";
import { csvOf, download } from "./csv.js";

/**
 * @typedef {import("./context.js").Context} Context
 * @typedef {{at: number, actor: string, action: string, subject: string, allowed: boolean, detail: string | null,
 *   request_id: string, chain: string, number: number}} Audited
 */

const EXAMPLES = { actor: "staff:3", action: "ticket-called", subject: "entry:7000000012" };
const DAY_MS = 24 * 3600_000;
const PAGE = 50;
const EXPORT_PAGE = 200;
const MOST_EXPORTED = 20_000;
const COLUMNS = /** @type {const} */ (["at", "actor", "action", "subject", "allowed", "detail", "request_id", "chain", "number"]);

/**
 * @param {HTMLElement} root
 * @param {Context} context
 */
export async function open(root, context) {
  const form = filterForm();
  const rows = element("tbody");
  const empty = element("p", { className: "records-empty" }, t("admin.audit.empty"));
  const headings = ["admin.audit.time", "admin.audit.actor", "admin.audit.action", "admin.audit.subject", "admin.audit.result"];
  const table = element(
    "table",
    { className: "table" },
    element("thead", {}, element("tr", {}, ...headings.map((key) => element("th", { scope: "col" }, t(key))))),
    rows,
  );
  const more = element("button", { className: "button", type: "button" }, t("admin.audit.more"));
  const exporting = element("button", { className: "button is-quiet", type: "button" }, t("admin.audit.export"));
  const error = element("p", { className: "field-error", role: "alert" });
  /** @type {string | null} */
  let next = null;
  const names = await namesOfActors(context);

  const read = async (/** @type {boolean} */ first) => {
    setText(error, "");
    try {
      const { data, pagination } = await context.ask(addressOf(context, form, PAGE, first ? null : next));
      if (first) rows.replaceChildren();
      rows.append(...data.map((/** @type {Audited} */ each) => rowOf(context, each, names)));
      next = pagination.next;
    } catch (refusal) {
      if (context.signal.aborted) return;
      setText(error, errorMessage(refusal));
      next = null;
    }
    more.hidden = next === null;
    empty.hidden = rows.childElementCount > 0;
    table.hidden = rows.childElementCount === 0;
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void read(true);
  });
  more.addEventListener("click", () => void read(false));
  exporting.addEventListener("click", () => void exportAll(context, form, exporting).catch((refusal) => context.complain(refusal)));
  root.append(
    element(
      "section",
      { className: "group", "aria-labelledby": "audit-title" },
      element("div", { className: "group-head" }, element("h2", { id: "audit-title" }, t("admin.audit.kind")), exporting),
      form,
      error,
      empty,
      element("div", { className: "table-room", tabIndex: 0, role: "region", "aria-label": t("admin.audit") }, table),
      element("p", {}, more),
    ),
    verification(context),
  );
  await read(true);
}

/** Return the form of the filter. */
function filterForm() {
  const field = (/** @type {string} */ name, /** @type {HTMLElement} */ input, /** @type {string} */ hint = "") => {
    input.id = `audit-${name}`;
    const words = hint ? [element("p", { className: "field-hint" }, hint)] : [];
    return element("div", { className: "field" }, element("label", { htmlFor: input.id }, t(`admin.audit.${name}`)), input, ...words);
  };
  const text = (/** @type {keyof typeof EXAMPLES} */ name, /** @type {number} */ maxLength) =>
    field(name, element("input", { name, maxLength, autocomplete: "off", spellcheck: false, dir: "ltr" }), t("admin.audit.example", { example: EXAMPLES[name] }));
  const kinds = ["changes", "access"].map((kind) => element("option", { value: kind }, t(`admin.audit.kind.${kind}`)));
  return element(
    "form",
    { className: "group-fields", "aria-label": t("admin.audit.filter") },
    field("kind", element("select", { name: "kind" }, ...kinds)),
    text("actor", 40),
    text("action", 40),
    text("subject", 120),
    field("since", element("input", { name: "since", type: "date" })),
    field("until", element("input", { name: "until", type: "date" })),
    element("p", { className: "field-submit" }, element("button", { className: "button is-primary", type: "submit" }, t("admin.audit.apply"))),
  );
}

/**
 * Return the address of a page of records.
 *
 * @param {Context} context
 * @param {HTMLFormElement} form
 * @param {number} size
 * @param {string | null} cursor
 */
function addressOf(context, form, size, cursor) {
  const given = new FormData(form);
  const query = new URLSearchParams({ kind: String(given.get("kind")), site_id: String(context.site.id), page_size: String(size) });
  for (const name of ["actor", "action", "subject"]) {
    const text = String(given.get(name) ?? "").trim();
    if (text) query.set(name, text);
  }
  const since = startOfDay(String(given.get("since") ?? ""), context.zone);
  const until = startOfDay(String(given.get("until") ?? ""), context.zone);
  if (since !== null) query.set("since", String(since));
  if (until !== null) query.set("until", String(until + DAY_MS));
  if (cursor !== null) query.set("after", cursor);
  return `/api/v1/audit?${query}`;
}

/**
 * Return the first instant of a day in a time zone, or null for no day.
 *
 * @param {string} day  such as 2026-03-29
 * @param {string} zone
 */
function startOfDay(day, zone) {
  const utc = Date.parse(day);
  if (!day || Number.isNaN(utc)) return null;
  const format = new Intl.DateTimeFormat("en-GB", { timeZone: zone, dateStyle: "short", timeStyle: "medium", hourCycle: "h23" });
  /** How far the zone's wall clock is ahead of UTC. @param {number} at */
  const ahead = (at) => {
    const [, date = "", month = "", year = "", time = ""] = /^(\d+)\/(\d+)\/(\d+), (.+)$/.exec(format.format(at)) ?? [];
    return Date.parse(`${year}-${month}-${date}T${time}Z`) - at;
  };
  const first = utc - ahead(utc);
  return utc - ahead(first); // again with the offset of that moment: the clock may change in between
}

/**
 * @param {Context} context
 * @param {Audited} record
 * @param {Map<string, string>} names  by actor
 */
function rowOf(context, { at, actor, action, subject, allowed, detail }, names) {
  const name = names.get(actor);
  const who = name === undefined ? [actor] : [name, element("span", { className: "audit-actor" }, actor)];
  const time = `${formatDay(at, context.zone)}, ${formatTime(at, context.zone)}`;
  return element(
    "tr",
    {},
    element("td", {}, time),
    element("td", { dir: "ltr" }, ...who),
    element("td", { dir: "ltr" }, detail === null ? action : `${action} (${detail})`),
    element("td", { dir: "ltr" }, subject),
    element("td", { className: allowed ? "" : "is-refused" }, t(allowed ? "admin.audit.done" : "admin.audit.refused")),
  );
}

/**
 * Read all records of the filter, and let the browser save them.
 *
 * @param {Context} context
 * @param {HTMLFormElement} form
 * @param {HTMLElement} button
 */
async function exportAll(context, form, button) {
  button.setAttribute("aria-busy", "true");
  try {
    /** @type {Audited[]} */
    const found = [];
    /** @type {string | null} */
    let cursor = null;
    do {
      /** @type {any} */
      const { data, pagination } = await context.ask(addressOf(context, form, EXPORT_PAGE, cursor));
      found.push(...data);
      cursor = pagination.next;
    } while (cursor !== null && found.length < MOST_EXPORTED);
    const lines = found.map((each) => COLUMNS.map((name) => (name === "at" ? new Date(each.at).toISOString() : (each[name] ?? ""))));
    download(`audit-${context.site.id}.csv`, csvOf([[...COLUMNS], ...lines]));
    context.say(t("admin.audit.exported", { n: found.length }));
  } finally {
    button.removeAttribute("aria-busy");
  }
}

/** @param {Context} context */
function verification(context) {
  const result = element("p", { className: "verified", role: "status" });
  const button = element("button", { className: "button", type: "button" }, t("admin.audit.verify"));
  button.addEventListener("click", async () => {
    button.setAttribute("aria-busy", "true");
    setText(result, "");
    try {
      const { links, broken } = await context.ask(`/api/v1/sites/${context.site.id}/audit/verification`);
      result.classList.toggle("is-broken", broken !== null);
      setText(result, broken === null ? t("admin.audit.verified", { n: links }) : t("admin.audit.broken", { number: links }));
    } catch (error) {
      context.complain(error);
    }
    button.removeAttribute("aria-busy");
  });
  const heading = element("h2", { id: "verify-title" }, t("admin.audit.verify"));
  return element(
    "section",
    { className: "group", "aria-labelledby": heading.id },
    heading,
    element("p", { className: "group-lead" }, t("admin.audit.verify.lead")),
    element("p", {}, button),
    result,
  );
}
