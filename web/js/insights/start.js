/** The page of figures for managers: a period, filters, and a card for each question. */

import { showReaderSettings } from "../components/reader-settings.js";
import { errorMessage } from "../desk/error-messages.js";
import { endSession, leaveToSignIn, whenSignedIn } from "../desk/staff-session.js";
import { element, find, setText } from "../shared/dom.js";
import { addTexts, currentLanguage, formatTime, learnOffsets, loadLanguage, t, useClock } from "../shared/i18n.js";
import { recall, remember } from "../shared/memory.js";
import { homeOf, keepSessionFresh } from "../shared/session.js";
import { ask } from "../shared/staff-requests.js";
import { cardElement } from "./card.js";
import { cardsOf, isEmpty, notesOf } from "./cards.js";
import { showChoice } from "./choice.js";
import { readChoice, spanBefore, spanOf, withChoice } from "./period.js";
import { spanText } from "./texts.js";

/**
 * @typedef {import("../shared/session.js").Session} Session
 * @typedef {import("../shared/session.js").Site} Site
 * @typedef {import("./period.js").Choice} Choice
 * @typedef {import("./period.js").Span} Span
 */

/** The name under which this browser remembers the last site, as reception does. */
const SITE = "site";
const SEVERAL = "several";
const RIGHT = "read-statistics";
const AGAIN_MS = 60_000;

/** A refusal of the server. */
class Refused extends Error {
  /** @param {import("../shared/staff-requests.js").Refusal} refusal */
  constructor(refusal) {
    super(refusal.code);
    this.refusal = refusal;
  }
}

/** Start the page, once the session is known. */
export async function startInsights() {
  addTexts("insights");
  await loadLanguage();
  showReaderSettings(find("[data-tools]"));
  find("[data-sign-out]").addEventListener("click", () => void endSession());
  for (const _ of [1, 2]) find("[data-cards]").append(element("div", { className: "cards-waiting" }));
  await whenSignedIn(open, (unreachable) => showTrouble(unreachable ? t("error.unreachable") : ""));
}

/** @param {Session} session */
async function open({ user, sites }) {
  const remembered = Number(recall(SITE));
  const site = sites.find(({ id }) => id === remembered) ?? sites[0];
  setText(find("[data-who]"), user.username);
  for (const part of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-needs]"))) part.hidden = !user.may.includes(part.dataset.needs ?? "");
  if (!user.may.includes(RIGHT)) {
    refuse(t("insights.forbidden"));
    find("[data-cards]").replaceChildren(element("p", {}, element("a", { className: "button", href: homeOf(user.role) }, t("insights.forbidden.home"))));
    return;
  }
  if (site === undefined) {
    refuse(t("desk.no_site"));
    return;
  }
  keepSessionFresh();
  showSites(sites, site);
  await new Page(site, sites, user.may.includes("manage-channels")).start();
}

/** @param {string} text */
function refuse(text) {
  document.body.dataset.live = "refused";
  find("[data-cards]").replaceChildren();
  find("[data-cards]").removeAttribute("aria-busy");
  showTrouble(text);
}

/** @param {string} text */
const showTrouble = (text) => setText(find("[data-trouble]"), text);

/**
 * @param {Site[]} sites
 * @param {Site} site
 */
function showSites(sites, site) {
  const select = /** @type {HTMLSelectElement} */ (find("[data-site-select]"));
  select.replaceChildren(...sites.map(({ id, name }) => element("option", { value: String(id) }, name)), element("option", { value: SEVERAL }, t("insights.sites.several")));
  select.value = readChoice(location.search).sites === null ? String(site.id) : SEVERAL;
  select.addEventListener("change", () => {
    if (select.value !== SEVERAL) remember(SITE, select.value);
    const several = select.value === SEVERAL ? "all" : null;
    location.assign(new URL(withChoice(location.href, { ...readChoice(location.search), service: null, queue: null, provider: null, sites: several })).href);
  });
  find(".site-choice").hidden = sites.length < 2;
  setText(find("[data-site]"), sites.length < 2 ? site.name : "");
}

/** The page of one site. */
class Page {
  #site;
  /** @type {Choice} */
  #choice = readChoice(location.search);
  /** The business day of the site. */
  #today = "";
  /** The request in progress. */
  #asking = new AbortController();
  /** The charts on the page. */
  #shown = new AbortController();
  /** The instant of the figures on the page, or 0 without any. */
  #at = 0;

  #sites;
  #admin;

  /**
   * @param {Site} site
   * @param {Site[]} sites   all sites of the reader
   * @param {boolean} admin  whether the reader may connect channels
   */
  constructor(site, sites, admin) {
    this.#site = site;
    this.#sites = sites;
    this.#admin = admin;
    if (sites.length < 2) this.#choice.sites = null;
  }

  async start() {
    find("[data-refresh]").addEventListener("click", () => void this.#show());
    find("[data-print]").addEventListener("click", () => print());
    find("[data-mail]").addEventListener("click", async () => {
      const { openMails } = await import("./mails.js");
      await openMails(this.#root, this.#span().to.slice(0, 7), this.#site.time_zone, this.#admin);
    });
    lightOnPaper();
    // Figures of today grow old while a manager looks at them.
    setInterval(() => document.visibilityState === "visible" && this.#span().to === this.#today && void this.#show(true), AGAIN_MS);
    while (!(await this.#begin())) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS / 12));
    await this.#show();
  }

  /** Read the site, and show the form. Returns whether the page can go on. */
  async #begin() {
    try {
      const clinic = await this.#ask(`/api/v1/sites/${this.#site.id}`);
      this.#today = clinic.business_day;
      showTrouble("");
      showChoice(this.#choice, clinic, this.#today, (choice) => {
        this.#choice = choice;
        history.replaceState(null, "", withChoice(location.href, choice));
        void this.#show();
      });
      if (this.#choice.sites !== null) await this.#beginSites(this.#choice.sites);
      return true;
    } catch (error) {
      document.body.dataset.live = "stale";
      showTrouble(messageOf(error));
      return false;
    }
  }

  /** Show the choice of several sites in place of the parts that are about one. @param {string} chosen */
  async #beginSites(chosen) {
    const { showSiteChoice } = await import("./sites.js");
    find("[data-filter]").hidden = true;
    for (const part of ["[data-report]", "[data-mail]"]) find(part).hidden = true;
    showSiteChoice(this.#sites, chosen, (sites) => {
      this.#choice.sites = sites;
      history.replaceState(null, "", withChoice(location.href, this.#choice));
      void this.#show();
    });
  }

  #span() {
    return spanOf(this.#choice, this.#today);
  }

  /**
   * Ask for the figures of the choice, and show them.
   *
   * @param {boolean} [quietly]  the reader did not ask: a failure leaves the figures as they are
   */
  async #show(quietly = false) {
    this.#asking.abort();
    const { signal } = (this.#asking = new AbortController());
    const span = this.#span();
    const before = this.#choice.compared ? spanBefore(span, this.#choice.kind) : null;
    const room = find("[data-cards]");
    if (!quietly) room.setAttribute("aria-busy", "true");
    try {
      if (this.#choice.sites !== null) {
        const [{ cardsOfSites, notesOfSites }, now, then] = await Promise.all([import("./sites.js"), this.#ask(this.#addressOfSites(span), signal), before === null ? null : this.#ask(this.#addressOfSites(before), signal)]);
        if (!signal.aborted) {
          this.#at = now.as_of;
          this.#paintCards(cardsOfSites(now, then, this.#addressOfSites(span, true)), notesOfSites(now), span, before);
        }
        return;
      }
      const [now, then, access] = await Promise.all([
        this.#ask(this.#address(span), signal),
        before === null ? null : this.#ask(this.#address(before), signal),
        this.#ask(`${this.#root}/third-next`, signal),
      ]);
      if (!signal.aborted) this.#paint({ now, then, access }, span, before);
    } catch (error) {
      if (!signal.aborted) this.#trouble(error);
    } finally {
      if (!signal.aborted) room.removeAttribute("aria-busy");
    }
  }

  /**
   * @param {import("./cards.js").Answers} answers
   * @param {Span} span
   * @param {Span | null} before
   */
  #paint(answers, span, before) {
    const { now } = answers;
    this.#today = now.business_day;
    learnOffsets(now);
    useClock(now.clock);
    this.#at = now.as_of;
    this.#paintCards(isEmpty(now) ? [] : cardsOf(answers, (view) => this.#address(span, view)), notesOf(now), span, before);
    const report = /** @type {HTMLAnchorElement} */ (find("[data-report]"));
    report.href = `${this.#root}/report.pdf?${new URLSearchParams({ month: span.to.slice(0, 7), language: currentLanguage() })}`;
  }

  /**
   * @param {import("./card.js").Card[]} cards
   * @param {string[]} notes
   * @param {Span} span
   * @param {Span | null} before
   */
  #paintCards(cards, notes, span, before) {
    const open = new Set(Array.from(document.querySelectorAll('.plot[data-as="table"]'), (plot) => plot.closest(".card")?.id + (plot.querySelector("h3")?.textContent ?? "")));
    this.#shown.abort();
    const { signal } = (this.#shown = new AbortController());
    const made = cards.map((card) => cardElement(card, signal));
    find("[data-cards]").replaceChildren(...notes.map((note) => element("p", { className: "insights-note" }, note)), ...(made.length > 0 ? made : [element("p", { className: "card-none" }, t("insights.empty"))]));
    for (const plot of document.querySelectorAll(".plot.has-chart")) {
      if (open.has(plot.closest(".card")?.id + (plot.querySelector("h3")?.textContent ?? ""))) /** @type {HTMLElement} */ (plot.querySelector(".plot-toggle")).click();
    }
    const parts = find("[data-parts]");
    parts.replaceChildren(...cards.map(({ id, title }) => element("a", { href: `#${id}` }, title)));
    parts.hidden = cards.length < 2;
    setText(find("[data-span]"), spanText(span));
    setText(find("[data-span-before]"), before === null ? "" : t("insights.compared", { span: spanText(before) }));
    find("[data-actions]").hidden = false;
    document.body.dataset.live = "live";
    setText(find("[data-state]"), span.to === this.#today ? t("insights.at", { time: formatTime(this.#at, this.#site.time_zone) }) : "");
    showTrouble("");
    showNotice("");
  }

  /** @param {unknown} error */
  #trouble(error) {
    if (this.#at === 0) {
      find("[data-cards]").replaceChildren();
      showTrouble(messageOf(error));
    } else {
      showNotice(t("insights.stale", { time: formatTime(this.#at, this.#site.time_zone), why: messageOf(error) }));
    }
    const refused = error instanceof Refused && ["not_allowed", "site_not_found"].includes(error.refusal.code);
    document.body.dataset.live = refused ? "refused" : "stale";
    setText(find("[data-state]"), "");
    find("[data-actions]").hidden = false;
  }

  get #root() {
    return `/api/v1/sites/${this.#site.id}/insights`;
  }

  /**
   * @param {Span} span
   * @param {string} [view]  of an export
   */
  #address({ from, to }, view) {
    const { service, queue, provider } = this.#choice;
    const values = { from, to, service_id: service, queue_id: queue, provider_id: provider, view, language: view === undefined ? null : currentLanguage() };
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(values)) if (value !== null && value !== undefined) query.set(name, String(value));
    return `${this.#root}${view === undefined ? "" : ".zip"}?${query}`;
  }

  /** @param {Span} span @param {boolean} [exported] */
  #addressOfSites({ from, to }, exported = false) {
    const { sites } = this.#choice;
    const query = new URLSearchParams({ from, to, ...(sites === "all" || sites === null ? {} : { sites }), ...(exported ? { language: currentLanguage() } : {}) });
    return `/api/v1/insights${exported ? ".zip" : ""}?${query}`;
  }

  /**
   * @param {string} address
   * @param {AbortSignal} [signal]
   */
  async #ask(address, signal) {
    const { body, error } = await ask(address, signal === undefined ? {} : { signal });
    if (error === undefined) return body;
    if (error.code === "not_signed_in") leaveToSignIn();
    throw new Refused(error);
  }
}

/** @param {string} text */
function showNotice(text) {
  const notice = find(".notice");
  setText(notice, text);
  notice.classList.toggle("is-shown", text !== "");
}

/** @param {unknown} error */
const messageOf = (error) => (error instanceof Refused ? errorMessage(error.refusal) : t("error.unreachable"));

/** Draw the charts for white paper while the page prints. */
function lightOnPaper() {
  const root = document.documentElement;
  /** @type {string | undefined} */
  let before;
  addEventListener("beforeprint", () => {
    before = root.dataset.theme;
    root.dataset.theme = "light";
  });
  addEventListener("afterprint", () => {
    if (before === undefined) delete root.dataset.theme;
    else root.dataset.theme = before;
  });
}
