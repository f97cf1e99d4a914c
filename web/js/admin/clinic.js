/** The section of the clinic itself: its name, its languages and clock, its hours, and the rules of its day. */

import { element, setText } from "../shared/dom.js";
import { LANGUAGE_NAMES, currentLanguage, formatDay, formatNumber, formatTime, t } from "../shared/i18n.js";
import { checkField, checksField, choiceField, group, numberField, textField, timeField } from "./fields.js";
import { hoursEditor } from "./hours.js";
import { reminderLead } from "./reminder-lead.js";

/**
 * @typedef {import("../live/cells.js").ConfigurationSite} Site
 * @typedef {import("../live/view.js").Cells} Cells
 * @typedef {import("./context.js").Context} Context
 */

const LOOK_MS = 15_000;
/** The reminders that the page offers, in hours before an appointment. */
const USUAL_REMINDERS = [168, 72, 48, 24, 2];

/**
 * @param {HTMLElement} root
 * @param {Context} context
 */
export function open(root, context) {
  root.append(about(context), region(context), hours(context), joining(context), booking(context), messages(context), waiting(context), calls(context), day(context));
}

/**
 * Return what a field needs that shows and changes one field of the site.
 *
 * @template V
 * @param {Context} context
 * @param {(site: Site) => V} value  how the cell has it
 * @param {string} name              the field of the command `change-site`
 * @param {(value: V) => unknown} [sent]  how the command has it
 */
function ofSite(context, value, name, sent = (given) => given) {
  /** @param {V} given */
  const order = (given) => ({ command: "change-site", body: { site_id: context.site.id, [name]: sent(given) } });
  return {
    read: (/** @type {Cells} */ cells) => {
      const site = /** @type {Site | undefined} */ (cells.get("site"));
      return site === undefined ? undefined : value(site);
    },
    save: (/** @type {V} */ after, /** @type {V} */ before) => ({ ...order(after), undo: order(before) }),
  };
}

/**
 * Return what a field needs that shows and changes one rule of the site.
 *
 * @template {keyof import("../live/cells.js").RulesOfSite} K
 * @param {Context} context
 * @param {K} name
 */
const ofRule = (context, name) => ofSite(context, ({ rules }) => rules[name], name);

/** @param {Context} context */
function about(context) {
  const languages = Object.entries(LANGUAGE_NAMES);
  return group(
    context,
    t("admin.clinic.about"),
    "",
    textField(context, { label: t("admin.clinic.name"), hint: t("admin.clinic.name.hint"), ...ofSite(context, ({ name }) => name, "name") }),
    choiceField(context, {
      label: t("admin.clinic.language"),
      hint: t("admin.clinic.language.hint"),
      choices: languages,
      ...ofSite(context, ({ language }) => language, "language"),
    }),
    checksField(context, {
      label: t("admin.clinic.languages"),
      hint: t("admin.clinic.languages.hint"),
      choices: (cells) => languages.filter(([tag]) => tag !== cells.get("site")?.language),
      ...ofRule(context, "languages"),
    }),
  );
}

/** @param {Context} context */
function region(context) {
  const now = element("p", { className: "group-lead", role: "status" });
  const showTime = () => {
    const { zone } = context;
    setText(now, t("admin.clinic.now", { time: formatTime(context.connection.now(), zone), day: formatDay(context.connection.now(), zone) }));
  };
  const timer = setInterval(showTime, LOOK_MS);
  context.signal.addEventListener("abort", () => clearInterval(timer));
  const section = group(
    context,
    t("admin.clinic.region"),
    "",
    choiceField(context, {
      label: t("admin.clinic.zone"),
      hint: t("admin.clinic.zone.hint"),
      choices: Intl.supportedValuesOf("timeZone").map((zone) => /** @type {const} */ ([zone, zone.replaceAll("_", " ")])),
      ...ofSite(context, (site) => site.time_zone, "time_zone"),
    }),
    choiceField(context, {
      label: t("admin.clinic.country"),
      hint: t("admin.clinic.country.hint"),
      choices: [["", t("admin.clinic.country.none")], ...countries()],
      ...ofRule(context, "region"),
    }),
    choiceField(context, {
      label: t("admin.clinic.clock"),
      choices: [["auto", t("admin.clinic.clock.auto")], ["12", t("admin.clinic.clock.12")], ["24", t("admin.clinic.clock.24")]],
      ...ofSite(context, ({ rules }) => /** @type {string} */ (rules.clock), "clock"),
    }),
  );
  section.querySelector("h2")?.after(now);
  context.onView(showTime);
  return section;
}

/**
 * The countries by their names in the page's language. A pair of letters that is no country has no name.
 *
 * @returns {[string, string][]}
 */
function countries() {
  const names = new Intl.DisplayNames([currentLanguage()], { type: "region", fallback: "none" });
  const letters = Array.from({ length: 26 }, (_, index) => String.fromCharCode(65 + index));
  const other = new Set(["EU", "EZ", "UN", "QO", "XA", "XB", "ZZ"]);
  /** @type {[string, string][]} */
  const found = [];
  for (const code of letters.flatMap((one) => letters.map((two) => one + two))) {
    const name = names.of(code);
    // A former code has the name of the country that uses another code now.
    if (name !== undefined && !other.has(code) && new Intl.Locale(`und-${code}`).region === code) found.push([code, name]);
  }
  return found.sort(([, one], [, two]) => one.localeCompare(two, currentLanguage()));
}

/** @param {Context} context */
const hours = (context) => hoursEditor(context);

/** @param {Context} context */
function joining(context) {
  const section = group(
    context,
    t("admin.clinic.joining"),
    t("admin.clinic.joining.lead"),
    choiceField(context, {
      label: t("admin.clinic.joining.who"),
      hint: t("admin.clinic.joining.who.hint"),
      choices: [
        ["presence", t("admin.clinic.joining.presence")],
        ["anywhere", t("admin.clinic.joining.anywhere")],
        ["off", t("admin.clinic.joining.off")],
      ],
      ...ofSite(context, ({ rules }) => /** @type {string} */ (rules.joining), "joining"),
    }),
    choiceField(context, {
      label: t("admin.clinic.joining.number"),
      choices: [
        ["none", t("admin.clinic.joining.number.none")],
        ["optional", t("admin.clinic.joining.number.optional")],
        ["required", t("admin.clinic.joining.number.required")],
      ],
      ...ofSite(context, ({ rules }) => /** @type {string} */ (rules.phone_when_joining), "phone_when_joining"),
    }),
    numberField(context, { label: t("admin.clinic.joining.per_phone"), min: 1, max: 10, ...ofRule(context, "joins_per_phone") }),
    numberField(context, { label: t("admin.clinic.joining.per_hour"), min: 1, max: 1000, ...ofRule(context, "joins_per_hour") }),
  );
  const poster = (/** @type {"a4" | "letter"} */ paper, /** @type {string} */ text) =>
    element("a", { className: "button", href: `/api/v1/sites/${context.site.id}/poster.pdf?paper=${paper}`, target: "_blank", rel: "noopener" }, text);
  const links = element(
    "div",
    { className: "field" },
    element("h3", { className: "field-title" }, t("admin.clinic.poster")),
    element("p", { className: "field-hint" }, t("admin.clinic.poster.hint")),
    element("p", { className: "field-row" }, poster("a4", t("admin.clinic.poster.a4")), poster("letter", t("admin.clinic.poster.letter"))),
  );
  context.onView((cells) => (links.hidden = cells.get("site")?.rules.joining === "off"));
  section.append(links);
  return section;
}

/** @param {Context} context */
function booking(context) {
  const unit = t("admin.minutes");
  const section = group(
    context,
    t("admin.clinic.booking"),
    t("admin.clinic.booking.lead"),
    choiceField(context, {
      label: t("admin.clinic.booking.page"),
      hint: t("admin.clinic.booking.page.hint"),
      choices: /** @type {const} */ (["off", "on"]).map((each) => [each, t(`admin.clinic.booking.${each}`)]),
      ...ofSite(context, ({ rules }) => /** @type {string} */ (rules.booking), "booking"),
    }),
    numberField(context, { label: t("admin.clinic.cancel_until"), hint: t("admin.clinic.cancel_until.hint"), unit, max: 10080, ...ofRule(context, "cancel_until") }),
    numberField(context, { label: t("admin.clinic.check_in_from"), hint: t("admin.clinic.check_in_from.hint"), unit, max: 1440, ...ofRule(context, "check_in_from") }),
    numberField(context, { label: t("admin.clinic.check_in_until"), hint: t("admin.clinic.check_in_until.hint"), unit, max: 1440, ...ofRule(context, "check_in_until") }),
    numberField(context, { label: t("admin.clinic.booking_lead"), hint: t("admin.clinic.booking_lead.hint"), unit, ...ofRule(context, "booking_lead") }),
    numberField(context, { label: t("admin.clinic.booking_grace"), hint: t("admin.clinic.booking_grace.hint"), unit, ...ofRule(context, "booking_grace") }),
  );
  const address = `${location.origin}/book/${context.site.id}`;
  const links = element(
    "div",
    { className: "field" },
    element("h3", { className: "field-title" }, t("admin.clinic.booking.address")),
    element("p", {}, element("a", { href: address, target: "_blank", rel: "noopener" }, address)),
    element("p", { className: "field-hint" }, t("admin.clinic.booking.address.hint")),
  );
  context.onView((cells) => (links.hidden = cells.get("site")?.rules.booking === "off"));
  section.append(links);
  return section;
}

/** @param {Context} context */
function messages(context) {
  return group(
    context,
    t("admin.clinic.messages"),
    t("admin.clinic.messages.lead"),
    wayField(context, 0, t("admin.clinic.way.first"), t("admin.clinic.way.hint")),
    wayField(context, 1, t("admin.clinic.way.second")),
    wayField(context, 2, t("admin.clinic.way.third")),
    checksField(context, {
      label: t("admin.clinic.reminders"),
      hint: t("admin.clinic.reminders.hint"),
      choices: (cells) => {
        const set = cells.get("site")?.rules.reminders ?? [];
        const hours = Array.from(new Set([...USUAL_REMINDERS, ...set])).sort((one, two) => two - one);
        return hours.map((each) => [each, reminderLead(each)]);
      },
      ...ofRule(context, "reminders"),
    }),
    timeField(context, { label: t("admin.clinic.quiet_from"), hint: t("admin.clinic.quiet.hint"), ...ofRule(context, "quiet_from") }),
    timeField(context, { label: t("admin.clinic.quiet_until"), ...ofRule(context, "quiet_until") }),
    choiceField(context, {
      label: t("admin.clinic.feedback"),
      hint: t("admin.clinic.feedback.hint"),
      choices: /** @type {const} */ (["off", "on"]).map((each) => [each, t(`admin.clinic.feedback.${each}`)]),
      ...ofSite(context, ({ rules }) => /** @type {string} */ (rules.feedback), "feedback"),
    }),
  );
}

/**
 * The way that messages prefer at a place of the order. A way that stood at another place changes places with this one.
 *
 * @param {Context} context
 * @param {0 | 1 | 2} place
 * @param {string} label
 * @param {string} [hint]
 */
function wayField(context, place, label, hint) {
  /** @type {string[]} */
  let ways = [];
  const order = (/** @type {string[]} */ given) => ({ command: "change-site", body: { site_id: context.site.id, message_ways: given } });
  return choiceField(context, {
    label,
    ...(hint === undefined ? {} : { hint }),
    choices: ["", "sms", "email", "push"].map((each) => [each, t(`admin.clinic.way.${each || "none"}`)]),
    read: (cells) => {
      const site = /** @type {Site | undefined} */ (cells.get("site"));
      ways = site?.rules.message_ways ?? [];
      return site === undefined ? undefined : (ways[place] ?? "");
    },
    save: (after, before) => {
      const next = ways.map((each) => (each === after ? before : each));
      next[Math.min(place, next.length)] = after;
      return { ...order(next.filter((each) => each !== "")), undo: order(ways) };
    },
  });
}

/** @param {Context} context */
function waiting(context) {
  const unit = t("admin.minutes");
  const target = (/** @type {"standard" | "assisted" | "urgent"} */ priority) =>
    numberField(context, { label: t("admin.clinic.target", { priority: t(`priority.${priority}`) }), unit, ...ofRule(context, `target_${priority}`) });
  const headStart = (/** @type {"assisted" | "urgent"} */ priority) =>
    numberField(context, { label: t("admin.clinic.head_start", { priority: t(`priority.${priority}`) }), unit, ...ofRule(context, `head_start_${priority}`) });
  return group(
    context,
    t("admin.clinic.waiting"),
    t("admin.clinic.waiting.lead"),
    target("standard"),
    target("assisted"),
    target("urgent"),
    headStart("assisted"),
    headStart("urgent"),
    numberField(context, { label: t("admin.clinic.return_lead"), hint: t("admin.clinic.return_lead.hint"), unit, ...ofRule(context, "return_lead") }),
  );
}

/** @param {Context} context */
function calls(context) {
  const unit = t("admin.minutes");
  return group(
    context,
    t("admin.clinic.calls"),
    t("admin.clinic.calls.lead"),
    numberField(context, {
      label: t("admin.clinic.recalls"),
      hint: t("admin.clinic.recalls.hint"),
      max: 10,
      ...ofRule(context, "recalls_before_no_show"),
    }),
    numberField(context, { label: t("admin.clinic.no_show"), unit, max: 60, ...ofRule(context, "minutes_before_no_show") }),
    numberField(context, {
      label: t("admin.clinic.call_stands"),
      hint: t("admin.clinic.call_stands.hint"),
      unit,
      min: 1,
      ...ofRule(context, "minutes_call_stands"),
    }),
    checkField(context, {
      label: t("admin.clinic.names"),
      hint: t("admin.clinic.names.hint"),
      ...ofRule(context, "names_on_display"),
    }),
  );
}

/** @param {Context} context */
function day(context) {
  return group(
    context,
    t("admin.clinic.day"),
    t("admin.clinic.day.lead", { label: `A${formatNumber(1).padStart(3, formatNumber(0))}` }),
    timeField(context, {
      label: t("admin.clinic.turn"),
      hint: t("admin.clinic.turn.hint"),
      ...ofSite(context, (site) => site.day_turns_at_minutes, "day_turns_at_minutes"),
    }),
    checkField(context, {
      label: t("admin.clinic.round_the_clock"),
      hint: t("admin.clinic.round_the_clock.hint"),
      ...ofRule(context, "round_the_clock"),
    }),
  );
}
