import { element, find, setText } from "../shared/dom.js";
import { formatTime, hasText, t } from "../shared/i18n.js";
import { showProgress } from "./progress-line.js";

/** @typedef {import("../live/cells.js").Ticket} Ticket */

const ALMOST = 2;

/**
 * Whether the patient has said that they come later: they keep their place, and are not called yet.
 *
 * @param {Pick<Ticket, "state" | "absent_until">} ticket
 * @param {number} now
 */
export const isAway = ({ state, absent_until: back }, now) => state === "waiting" && back != null && back > now;

/**
 * Return what to tell the patient: one sentence in large, and one below it.
 *
 * @param {Ticket} ticket
 * @param {number} now
 * @returns {{headline: string, advice: string}}
 */
export function ticketTexts({ state, ahead, point, absent_until: back, time_zone: zone }, now) {
  const place = point ?? "";
  if (isAway({ state, absent_until: back }, now)) {
    return { headline: t("ticket.absent", { time: formatTime(back ?? now, zone) }), advice: t("ticket.absent.advice") };
  }
  if (state === "waiting") {
    const n = ahead ?? 0;
    const near = n === 0 ? "next" : n <= ALMOST ? "almost" : "waiting";
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
 * @param {{mostAhead: number, now: number}} since  how many were ahead when this page first looked; the server's time
 */
export function showTicket(main, ticket, { mostAhead, now }) {
  const { headline, advice } = ticketTexts(ticket, now);
  const waiting = ticket.state === "waiting";
  const ahead = waiting ? (ticket.ahead ?? 0) : null;
  main.dataset.state = ticket.state;
  setText(find("[data-ticket]", main), ticket.label ?? "");
  setText(find(".ticket-queue", main), queueOf(ticket));
  const headlineElement = find(".ticket-headline", main);
  sayInTwo(headlineElement, headline);
  set(headlineElement, "data-ahead", ahead);
  set(headlineElement, "data-point", ticket.point ?? null);
  setText(find(".ticket-advice", main), advice);
  showExpected(find(".ticket-expected", main), ticket, now);
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
 * A range, never one falsely exact time; a time that has passed is not repeated.
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
 * Set a text that would rather break after its colon than anywhere else.
 *
 * @param {Element} target
 * @param {string} text
 */
function sayInTwo(target, text) {
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
