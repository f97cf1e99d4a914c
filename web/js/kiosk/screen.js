import { Connection } from "../live/connection.js";
import { liveAddress } from "../device/identity.js";
import { JoinCode, joinCodeOf } from "../device/join-code.js";
import { newKey } from "../shared/commands.js";
import { element, find, setText } from "../shared/dom.js";
import { LANGUAGE_NAMES, currentLanguage, firstSupported, formatDay, formatTime, loadLanguage, nameIn, t, useClock } from "../shared/i18n.js";
import { codeAddress } from "../shared/slip.js";
import { VERSION } from "../shared/version.js";
import { timeOf } from "../shared/local-time.js";
import { CheckIn } from "./check-in.js";
import { paintIdle } from "./idle.js";
import { IdleWatch } from "./idle-watch.js";
import { Modes } from "./modes.js";
import { Printer } from "./printer.js";
import { Reach } from "./reach.js";
import { Reader, announce, wordsOf } from "./reader.js";
import { Tickets, VALID_MS } from "./tickets.js";

/**
 * @typedef {import("../live/cells.js").KioskSite} Site
 * @typedef {import("../live/cells.js").Kiosk} KioskCell
 * @typedef {import("./tickets.js").Issued} Issued
 * @typedef {"start" | "idle" | "issuing" | "ticket" | "help" | "check-in" | "desk" | "away"} State
 *   `desk`: this one request has to go on at the desk; `away`: the kiosk promises nothing at present
 * @typedef {{title: string, lead: string, values?: Record<string, string>}} DeskTexts  by their keys
 */

/** The language in the address, for those who set the kiosk up. */
const ASKED = new URLSearchParams(location.search).get("lang");
const TICKET_MS = 25_000;
const TICKET_SLOWLY_MS = 60_000; // with large text or a voice
const DESK_MS = 20_000;
const SETTLED_MS = 700;

/** One kiosk: what it shows, and what its buttons do. */
export class KioskScreen {
  connection;
  reach = new Reach();
  printer = new Printer();
  modes = new Modes();
  reader = new Reader();
  #joinCode;
  /** @type {State} */
  state = "start";
  #identity;
  #tickets;
  #checkIn;
  #idle;
  #store;
  /** The id of the next touch: made when the screen is drawn, so a double touch is one. */
  #touchId = newKey();
  #page = 0;
  #pages = 1;
  /** The texts of the screen `desk`. @type {DeskTexts} */
  #deskTexts = { title: "kiosk.desk", lead: "kiosk.desk.lead" };
  /** The code that was scanned for the ticket on the screen: a scanner reads a code twice. */
  #scanned = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #end;

  /**
   * @param {import("../device/identity.js").Identity} identity
   * @param {import("../shared/offline.js").SavedView} store
   */
  constructor(identity, store) {
    this.#identity = identity;
    this.#store = store;
    this.#joinCode = new JoinCode(find("[data-join-code]"), joinCodeOf(identity.id, identity.token));
    this.#tickets = new Tickets(() => identity.token);
    this.#checkIn = new CheckIn((claim) => void this.#sendClaim(claim));
    this.#idle = new IdleWatch((seconds) => this.#showWarning(seconds), () => void this.reset());
    this.connection = new Connection(`${liveAddress(identity)}?token=${encodeURIComponent(identity.token)}`);
    this.connection.addEventListener("view", () => void this.#takeView());
    this.connection.addEventListener("state", () => this.#judge());
    this.reach.addEventListener("change", () => this.#judge());
    this.printer.addEventListener("change", () => this.report());
  }

  /** @returns {Site | undefined} */
  get site() {
    return this.connection.view.cells.get("site");
  }

  /** @returns {KioskCell | undefined} */
  get kiosk() {
    return this.connection.view.cells.get(`kiosk:${this.#identity.id}`);
  }

  get zone() {
    return this.site?.time_zone;
  }

  /** The way of printing that the kiosk is set up for. */
  get printing() {
    return this.kiosk?.printing ?? "none";
  }

  /** Whether nobody uses the kiosk now. */
  get isQuiet() {
    return this.state === "idle" && !this.#isChanged;
  }

  /** Whether the language or a mode is not that of the site. */
  get #isChanged() {
    return this.modes.changed || currentLanguage() !== this.#ownLanguage;
  }

  get #ownLanguage() {
    return firstSupported([ASKED ?? this.site?.language ?? "en"]);
  }

  /** Tell the server that the kiosk is alive, and the state of its printer. */
  report() {
    this.connection.reportPainted({ version: VERSION, printer: this.printer.state });
  }

  /** A person is here. */
  sign() {
    this.#idle.sign();
    if (this.#isChanged && this.state === "idle") this.#idle.start();
  }

  /** React to a button. @param {HTMLElement} button */
  act(button) {
    const { do: what, queue, language, mode } = button.dataset;
    switch (what) {
      case "queue":
        void this.#take({ id: this.#touchId, queueId: Number(queue) });
        break;
      case "more":
        this.#page = (this.#page + 1) % this.#pages;
        this.#drawn();
        break;
      case "language":
        void this.#speak(language ?? "");
        break;
      case "mode":
        this.#toggle(/** @type {import("./modes.js").Mode} */ (mode));
        break;
      case "help":
        void this.#askHelp();
        break;
      case "appointment":
        this.#checkIn.start(this.kiosk?.check_in ?? "off");
        this.#go("check-in");
        break;
      case "check-in":
        this.#checkIn.act(button);
        break;
      case "stay":
        break; // the touch itself was the sign
      case "done":
        void this.reset();
        break;
      default:
    }
  }

  /** A scanner has read a code. @param {string} code */
  scanned(code) {
    if (this.kiosk === undefined || this.kiosk.check_in === "off" || this.state === "away") return;
    if (this.state === "issuing" || (this.state === "ticket" && code === this.#scanned)) return;
    this.#scanned = code;
    void this.#sendClaim({ code });
  }

  /** Go on after a reload in the middle of a touch: the person may still be here. */
  resume() {
    const touch = this.#tickets.interrupted();
    if (touch !== null) void this.#follow(touch);
  }

  /** Start again for the next person: the site's own language, without modes, and without a trace of the last one. */
  async reset() {
    this.modes.reset(this.kiosk?.low ?? false);
    this.reader.turn(false);
    this.#page = 0;
    this.#checkIn.clear();
    this.#forgetTicket();
    await this.#useLanguage(this.#ownLanguage);
    if (this.state !== "start") this.#go("idle");
    this.#judge();
  }

  /** Show what has changed with the time. */
  showTime() {
    setText(find(".clock"), this.site === undefined ? "" : formatTime(this.connection.now(), this.zone));
    if (this.state === "idle") this.#paint();
  }

  // Tickets

  /** @param {{id: string, queueId: number}} touched */
  async #take({ id, queueId }) {
    if (this.state !== "idle" || !this.#isReachable) return;
    const body = { queue_id: queueId, language: currentLanguage(), valid_until: Math.round(this.connection.now()) + VALID_MS };
    await this.#follow({ id, body, at: Date.now() });
  }

  /** Follow a touch to its outcome. @param {import("./tickets.js").Touch} touch */
  async #follow(touch) {
    this.#go("issuing");
    const outcome = await this.#tickets.take(touch, () => this.state === "issuing" && this.#toDesk("kiosk.away.lead"));
    const isHere = this.state === "issuing" || this.state === "desk" || this.state === "away";
    if ("issued" in outcome) {
      if (isHere) this.#showTicket(outcome.issued);
      else await this.#tickets.leave(outcome.issued);
    } else if (this.state === "issuing") this.#toDesk("refused" in outcome ? "kiosk.desk.lead" : "kiosk.away.lead");
  }

  /** @param {Issued} issued */
  #showTicket(issued) {
    const queue = issued.queue ?? this.connection.view.cells.get(`queue:${issued.queue_id}`);
    const part = find('[data-screen="ticket"]');
    const title = find("[data-ticket-title]", part);
    title.dataset.text = issued.queue === undefined ? "kiosk.ticket.yours" : "kiosk.check_in.done.title";
    setText(title, t(title.dataset.text));
    setText(find("[data-label]", part), issued.label);
    setText(find("[data-ticket-queue]", part), nameIn(queue?.name ?? "", queue?.names));
    setText(find("[data-ahead]", part), issued.ahead === 0 ? t("kiosk.ticket.next") : issued.ahead === null ? t("kiosk.check_in.done") : t("desk.slip.ahead", { n: issued.ahead }));
    const { expect_from: from, expect_until: until } = issued;
    const range = from === null || until === null ? "" : t("desk.slip.range", { from: formatTime(from, this.zone), until: formatTime(until, this.zone) });
    setText(find("[data-range]", part), range);
    setText(find("[data-slip-note]", part), t(this.printer.prints ? "kiosk.ticket.paper" : "kiosk.ticket.no_paper"));
    const code = /** @type {HTMLImageElement} */ (find("[data-ticket-code]", part));
    code.src = codeAddress(issued.token);
    this.#go("ticket");
    const seconds = this.modes.has("large") || this.modes.has("spoken") ? TICKET_SLOWLY_MS : TICKET_MS;
    this.#endIn(seconds);
    void this.#print(issued, queue);
  }

  /**
   * Print the slip after the number is on the screen.
   *
   * @param {Issued} issued
   * @param {{name: string, names: Record<string, string>} | undefined} queue
   */
  async #print({ label, token, address, language, opened_at, ahead, expect_from, expect_until }, queue) {
    if (this.printing === "none") return;
    await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
    const { name = "", time_zone = "UTC", language: site_language = "en" } = this.site ?? {};
    const about = { queue: queue?.name ?? "", queue_names: queue?.names ?? {}, party: 1, opened_at };
    await this.printer.print({ label, token, address, site: name, time_zone, language, site_language, ahead, expect_from, expect_until, ...about }, this.connection.now());
    if (this.state === "ticket") setText(find("[data-slip-note]"), t(this.printer.prints ? "kiosk.ticket.paper" : "kiosk.ticket.no_paper"));
  }

  /** Remove the ticket from the page: the next person must not see it. */
  #forgetTicket() {
    clearTimeout(this.#end);
    this.#scanned = "";
    const part = find('[data-screen="ticket"]');
    for (const name of ["label", "ticket-queue", "ahead", "range"]) setText(find(`[data-${name}]`, part), "");
    find("[data-ticket-code]", part).removeAttribute("src");
    const paper = find(".slip");
    delete paper.dataset.slip;
    find("[data-slip-code]", paper).removeAttribute("src");
    for (const line of paper.querySelectorAll("p:not([data-text])")) setText(line, "");
  }

  // Help and check-in

  async #askHelp() {
    this.#go("help");
    if (this.kiosk?.help_asked != null && this.kiosk.help_by === null) return;
    const id = this.#touchId;
    const told = this.#isReachable && (await this.#tickets.askHelp(Number(this.#identity.id), id));
    if (!told && this.state === "help") this.#toDesk("kiosk.help.away");
  }

  /** @param {import("./check-in.js").Claim} claim */
  async #sendClaim(claim) {
    const id = this.#touchId;
    const body = { ...claim, valid_until: Math.round(this.connection.now()) + VALID_MS };
    this.#checkIn.clear();
    if (!this.#isReachable) {
      this.#toDesk("kiosk.desk.check_in");
      return;
    }
    this.#go("issuing");
    const touch = { id, body, language: currentLanguage(), at: Date.now() };
    const outcome = await this.#tickets.checkIn(this.#identity.id, touch, () => this.state === "issuing" && this.#toDesk("kiosk.away.lead"));
    const isHere = this.state === "issuing" || this.state === "desk" || this.state === "away";
    if ("issued" in outcome) {
      if (isHere) this.#showTicket(outcome.issued);
    } else if (this.state === "issuing") {
      if ("refused" in outcome && outcome.refused === "check_in_not_now") this.#showWindow(outcome.details);
      else this.#toDesk("refused" in outcome ? "kiosk.desk.check_in" : "kiosk.away.lead");
    }
  }

  /** Say when the check-in is open: the patient is early, or late. @param {Record<string, any>} details */
  #showWindow({ local_from, local_until, opens_at }) {
    const values = { from: timeOf(local_from), until: timeOf(local_until) };
    const early = this.connection.now() < opens_at;
    this.#toDesk(early ? "kiosk.check_in.window" : "kiosk.check_in.late.lead", early ? "kiosk.check_in.early" : "kiosk.desk", values);
  }

  /**
   * Show that it goes on at the desk.
   *
   * @param {string} lead  the key of the sentence below
   * @param {string} [title]
   * @param {Record<string, string>} [values]
   */
  #toDesk(lead, title = "kiosk.desk", values = {}) {
    this.#deskTexts = { title, lead, values };
    this.#go("desk");
    this.#endIn(DESK_MS);
  }

  // Language and modes

  /** @param {string} language */
  async #speak(language) {
    await this.#useLanguage(language);
    this.#drawn();
    this.sign();
  }

  /** @param {string} language */
  async #useLanguage(language) {
    await loadLanguage([language, this.#ownLanguage]).catch(() => false);
    // A browser may need a second to know its voices.
    void this.reader.find(currentLanguage()).then(() => this.#paint());
  }

  /** @param {import("./modes.js").Mode} mode */
  #toggle(mode) {
    this.modes.toggle(mode);
    if (mode === "spoken") this.reader.turn(this.modes.has("spoken"));
    this.#drawn();
    this.sign();
  }

  // The state

  get #isReachable() {
    return this.reach.ok && this.connection.state !== "refused";
  }

  /** Change between `away` and the others, by what the kiosk can promise now. */
  #judge() {
    document.body.dataset.live = this.connection.state;
    if (this.connection.state === "refused" || this.state === "start") return;
    if (!this.#isReachable && this.state !== "ticket" && this.state !== "issuing" && this.state !== "away") this.#go("away");
    else if (this.#isReachable && this.state === "away") void this.reset();
    if (this.#isReachable) void this.#tickets.cancelUnseen();
    else if (!this.reach.ok) return;
    if (this.connection.state !== "live") this.connection.wake();
  }

  /** @param {State} state */
  #go(state) {
    this.state = state;
    clearTimeout(this.#end);
    document.body.dataset.state = state;
    for (const part of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-screen]"))) part.hidden = part.dataset.screen !== state;
    settle(document.querySelector(`[data-screen="${state}"] [data-do="done"]`));
    if (state === "help" || state === "check-in") this.#idle.start();
    else if (state === "idle" && this.#isChanged) this.#idle.start();
    else this.#idle.stop();
    this.#drawn();
  }

  /** The screen is drawn: the next touch is another one. */
  #drawn() {
    this.#touchId = newKey();
    this.#paint();
  }

  /** @param {number} milliseconds */
  #endIn(milliseconds) {
    clearTimeout(this.#end);
    const bar = find(`[data-screen="${this.state}"] .time-left`);
    bar.style.setProperty("--time-left", `${milliseconds}ms`);
    bar.classList.remove("is-running");
    void bar.offsetWidth; // a reflow, so that the animation starts again
    bar.classList.add("is-running");
    this.#end = setTimeout(() => void this.reset(), milliseconds);
  }

  async #takeView() {
    const { connection, kiosk, site } = this;
    useClock(site?.clock);
    this.printer.use(this.printing);
    if (kiosk !== undefined) this.modes.setLow(kiosk.low);
    this.#store.saveSoon(() => ({ at: connection.heardAt, seq: connection.view.seq, cells: Object.fromEntries(connection.view.cells), more: null }));
    if (this.state === "start") {
      await this.#useLanguage(this.#ownLanguage);
      this.modes.reset(kiosk?.low ?? false);
      if (this.state === "start") this.#go("idle");
      this.resume();
    }
    this.#judge();
    this.#paint();
    this.report();
  }

  // Painting

  #paint() {
    const { kiosk, site, state } = this;
    setText(find("[data-site]"), site?.name ?? "");
    setText(find(".clock"), site === undefined ? "" : formatTime(this.connection.now(), this.zone));
    this.#paintFoot();
    if (state === "idle") this.#paintIdle();
    if (state === "check-in") this.#checkIn.paint();
    if (state === "help") {
      const by = kiosk?.help_by ?? null;
      setText(find("[data-help]"), by === null ? t("kiosk.help.told") : t("kiosk.help.seen", { name: by }));
      setText(find("[data-help-lead]"), t(by === null ? "kiosk.help.told.lead" : "kiosk.help.seen.lead"));
    }
    if (state === "desk") {
      const { title, lead, values } = this.#deskTexts;
      setText(find("[data-desk]"), t(title));
      setText(find("[data-desk-lead]"), t(lead, values));
    }
    const part = document.querySelector(`[data-screen="${state}"]`);
    if (part === null) return;
    if (state === "idle") setText(find("[data-said]"), "");
    else announce(find("[data-said]"), part);
    this.reader.say(wordsOf(part));
  }

  #paintIdle() {
    const look = { kiosk: this.kiosk, now: this.connection.now(), page: this.#page, isLive: this.connection.state !== "stale" };
    const { open, pages } = paintIdle(this.connection.view.cells, look);
    this.#pages = pages;
    this.#joinCode.setLive(open && this.#isReachable && this.site?.joining === true);
  }

  #paintFoot() {
    const tags = [...new Set((this.site?.languages ?? []).filter((tag) => firstSupported([tag]) !== "en" || /^en\b/.test(tag)).map((tag) => firstSupported([tag])))];
    const list = find("[data-languages]");
    const shown = tags.length > 1 ? tags : [];
    list.hidden = shown.length === 0;
    if (list.dataset.tags !== shown.join()) {
      list.dataset.tags = shown.join();
      list.replaceChildren(...shown.map(languageButton));
    }
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (list.querySelectorAll("button"))) {
      button.setAttribute("aria-pressed", String(button.dataset.language === currentLanguage()));
    }
    find('[data-mode="spoken"]').hidden = !this.reader.able;
    const asked = this.kiosk?.help_asked != null && this.kiosk.help_by === null;
    setText(find("[data-help-label]"), t(asked ? "kiosk.help.open" : "kiosk.help"));
  }

  /** @param {number | null} seconds  null takes the warning away */
  #showWarning(seconds) {
    const warning = find("[data-warning]");
    const shown = seconds !== null;
    if (shown) setText(find("[data-warning-lead]"), t("kiosk.warning.lead", { n: seconds }));
    if (warning.hidden !== shown) return;
    warning.hidden = !shown;
    for (const part of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("main, footer"))) part.inert = shown;
    if (!shown) return;
    find("button", warning).focus();
    this.reader.say(wordsOf(warning));
  }
}

/**
 * Let a button do nothing for a moment: the second touch on a button that has gone must not end the next screen.
 *
 * @param {Element | null} button
 */
function settle(button) {
  button?.setAttribute("aria-disabled", "true");
  setTimeout(() => button?.removeAttribute("aria-disabled"), SETTLED_MS);
}

/** @param {string} tag */
function languageButton(tag) {
  const button = element("button", { type: "button", className: "kiosk-button tool", lang: tag }, LANGUAGE_NAMES[/** @type {keyof typeof LANGUAGE_NAMES} */ (tag)] ?? tag);
  Object.assign(button.dataset, { do: "language", language: tag });
  return button;
}
