import { element, find, setText } from "../shared/dom.js";
import { formatTime, hasText, t } from "../shared/i18n.js";
import { showProgress } from "./progress-line.js";
import { leaveText, movedText } from "./wait-words.js";

/** @typedef {import("../live/cells.js").Ticket} Ticket */

const ALMOST = 2;
const AWAY_IN = new Set(["waiting", "held"]);

/**
 * Return whether the patient has said that they come later. They are not called before that time.
 *
 * @param {Pick<Ticket, "state" | "absent_until">} ticket
 * @param {number} now
 */
export const isAway = ({ state, absent_until: back }, now) => AWAY_IN.has(state) && back != null && back > now;

/**
 * Return whether the patient is still to be called or has just been called.
 *
 * @param {Pick<Ticket, "state" | "absent_until">} ticket
 * @param {number} now
 */
export const isExpected = (ticket, now) => ticket.state === "waiting" || ticket.state === "called" || isAway(ticket, now);

/**
 * Return whether the patient was called, and now needs time: the entry is called, or on hold.
 *
 * @param {Pick<Ticket, "state"> | undefined} ticket
 */
export const wasCalled = (ticket) => ticket?.state === "called" || ticket?.state === "held";

/**
 * Return the outage before which a patient was called, while nobody has confirmed the call since; or null.
 *
 * @param {Pick<Ticket, "state" | "doubt">} ticket
 */
export const doubtOf = ({ state, doubt }) => (state === "called" ? (doubt ?? null) : null);

/**
 * Return the two sentences for the patient: the large headline and the advice below it.
 *
 * @param {Ticket} ticket
 * @param {number} now
 * @returns {{headline: string, advice: string}}
 */
export function ticketTexts({ state, ahead, point, served, doubt, absent_until: back, time_zone: zone }, now) {
  const place = point ?? "";
  const outage = doubtOf({ state, doubt });
  if (outage !== null) {
    const [from, until] = [outage.offline_from, outage.offline_until].map((at) => formatTime(at, zone));
    return { headline: t("ticket.doubt"), advice: t("ticket.doubt.advice", { from: from ?? "", until: until ?? "", point: place }) };
  }
  if (isAway({ state, absent_until: back }, now)) {
    const advice = wasCalled({ state }) ? "ticket.absent.called.advice" : "ticket.absent.advice";
    return { headline: t("ticket.absent", { time: formatTime(back ?? now, zone) }), advice: t(advice) };
  }
  if (state === "waiting") {
    const n = ahead ?? 0;
    const near = served === false ? "unserved" : n === 0 ? "next" : n <= ALMOST ? "almost" : "waiting";
    return { headline: t(`ticket.${near}`, { n }), advice: t(`ticket.${near}.advice`) };
  }
  const known = hasText(`ticket.${state}`) ? state : "expired";
  return { headline: t(`ticket.${known}`, { point: place }), advice: t(`ticket.${known}.advice`, { point: place }) };
}

/**
 * Show a ticket to its patient.
 *
 * @param {HTMLElement} main
 * @param {Ticket} ticket
 * @param {{mostAhead: number, now: number}} look  `mostAhead`: how many were ahead when the page first showed this stage;
 *   `now`: the server's time in milliseconds
 */
export function showTicket(main, ticket, { mostAhead, now }) {
  const { headline, advice } = ticketTexts(ticket, now);
  const waiting = ticket.state === "waiting";
  const ahead = waiting ? (ticket.ahead ?? 0) : null;
  main.dataset.state = doubtOf(ticket) === null ? ticket.state : "doubt"; // the screen does not call the patient
  setText(find("[data-ticket]", main), ticket.label ?? "");
  setText(find(".ticket-queue", main), queueOf(ticket));
  const headlineElement = find(".ticket-headline", main);
  setTextInTwo(headlineElement, headline);
  set(headlineElement, "data-ahead", ahead);
  set(headlineElement, "data-point", ticket.point ?? null);
  setText(find(".ticket-advice", main), advice);
  showExpected(find(".ticket-expected", main), ticket, now);
  showLine(find("[data-moved]", main), waiting ? movedText(ticket) : "");
  showLine(find("[data-leave-until]", main), waiting ? leaveText(ticket, { now, near: (ahead ?? 0) <= ALMOST }) : "");
  const progress = find("[data-progress]", main);
  progress.hidden = !waiting || mostAhead === 0;
  if (!progress.hidden) showProgress(progress, ahead ?? 0, mostAhead);
}

/** @param {Ticket} ticket */
function queueOf({ queue, service, provider, party = 1 }) {
  const parts = [service ?? queue, provider, party > 1 ? t("ticket.party", { n: party }) : null];
  return parts.filter(Boolean).join(" · ");
}

/**
 * Show when the patient is expected: a range, because one time would look more exact than it is. A range that has passed is
 * hidden.
 *
 * @param {HTMLElement} target
 * @param {Ticket} ticket
 * @param {number} now
 */
function showExpected(target, { state, expect_from: from, expect_until: until, estimating, time_zone: zone }, now) {
  target.hidden = state !== "waiting" || (until != null && until < now);
  if (target.hidden) return;
  if (from == null || until == null) {
    setText(target, t("ticket.no_wait"));
    return;
  }
  const words = estimating ? "ticket.expected.estimating" : "ticket.expected";
  setText(target, t(words, { from: formatTime(Math.max(from, now), zone), until: formatTime(until, zone) }));
}

/**
 * Show a line, or hide it while it has no text. A screen reader hears the line again only when its text changes.
 *
 * @param {HTMLElement} target
 * @param {string} text
 */
function showLine(target, text) {
  setText(target, text);
  target.hidden = text === "";
}

/**
 * Set a text that breaks after its colon first, if it does not fit on one line.
 *
 * @param {Element} target
 * @param {string} text
 */
function setTextInTwo(target, text) {
  if (target.textContent === text) return;
  const [, before = "", after = text] = /^(.*?:\s)(.*)$/.exec(text) ?? [];
  target.replaceChildren(before, element("span", {}, after));
}

/**
 * @param {Element} target
 * @param {string} name
 * @param {string | number | null} value
 */
function set(target, name, value) {
  if (value === null) target.removeAttribute(name);
  else target.setAttribute(name, String(value));
}
