import { element, find, say } from "../dom.js";
import { has, t, time } from "../i18n.js";

/** @typedef {import("../live/cells.js").Ticket} Ticket */

const ALMOST = 2;

/**
 * Return what to tell the patient: one sentence in large, and one below it.
 *
 * @param {Ticket} ticket
 * @returns {{headline: string, advice: string}}
 */
export function wordsFor({ state, ahead, point }) {
  const place = point ?? "";
  if (state === "waiting") {
    const n = ahead ?? 0;
    const near = n === 0 ? "next" : n <= ALMOST ? "almost" : "waiting";
    return { headline: t(`ticket.${near}`, { n }), advice: t(`ticket.${near}.advice`) };
  }
  const known = has(`ticket.${state}`) ? state : "expired";
  return { headline: t(`ticket.${known}`, { point: place }), advice: t(`ticket.${known}.advice`, { point: place }) };
}

/**
 * Show a ticket to its patient.
 *
 * @param {HTMLElement} main
 * @param {Ticket} ticket
 * @param {number} mostAhead  how many were ahead when this page first looked
 */
export function showTicket(main, ticket, mostAhead) {
  const { headline, advice } = wordsFor(ticket);
  const waiting = ticket.state === "waiting";
  const ahead = waiting ? (ticket.ahead ?? 0) : null;
  main.dataset.state = ticket.state;
  say(find("[data-ticket]", main), ticket.label ?? "");
  say(find(".ticket-site", main), ticket.site ?? "");
  say(find(".ticket-queue", main), ticket.queue ?? "");
  const headlineElement = find(".ticket-headline", main);
  sayInTwo(headlineElement, headline);
  set(headlineElement, "data-ahead", ahead);
  set(headlineElement, "data-point", ticket.point ?? null);
  say(find(".ticket-advice", main), advice);
  const expected = find(".ticket-expected", main);
  const { expect_from: from, expect_until: until, time_zone: zone } = ticket;
  expected.hidden = !waiting || from == null || until == null;
  if (from != null && until != null) {
    const words = ticket.estimating ? "ticket.expected.estimating" : "ticket.expected";
    say(expected, t(words, { from: time(from, zone), until: time(until, zone) }));
  }
  const progress = find(".ticket-progress", main);
  progress.hidden = !waiting;
  const done = ahead === null ? 1 : 1 - ahead / Math.max(1, mostAhead + 1);
  progress.style.setProperty("--done", done.toFixed(3));
  document.title = ticket.label ? `${headline} · ${ticket.label}` : headline;
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
