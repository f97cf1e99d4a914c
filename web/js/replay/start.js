/** The page that shows past screens: any display, desk or room of a site as it was at an instant, and what followed. */

import { showReaderSettings } from "../components/reader-settings.js";
import { errorMessage } from "../desk/error-messages.js";
import { endSession, whenSignedIn } from "../desk/staff-session.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { addTexts, currentLanguage, formatDay, formatTime, hasText, learnOffsets, loadLanguage, offsetAt, t, useClock } from "../shared/i18n.js";
import { offsetName, timeOf } from "../shared/local-time.js";
import { recall, remember } from "../shared/memory.js";
import { homeOf, keepSessionFresh } from "../shared/session.js";
import { ask } from "../shared/staff-requests.js";
import { addressOf, readAddress } from "./address.js";
import { browserOffsets, guessedOffset, instantsOf, withOffset } from "./instants.js";
import { pressByKeys } from "./keys.js";
import { Player } from "./player.js";
import { ScreenFrame } from "./screen-frame.js";
import { connectWhatIf, offerRecords } from "./what-if.js";

/**
 * @typedef {import("../shared/session.js").Session} Session
 * @typedef {import("../shared/session.js").Site} Site
 * @typedef {import("./player.js").Happened} Happened
 * @typedef {{screen: string, name: string}} Choice
 */

/** The name under which this browser remembers the last site, as reception does. */
const SITE = "site";
const SECOND_MS = 1_000;
const COMING_LISTED = 10;
const SPEEDS = ["1", "10", "60"];

/** Start the page, once the session is known. */
export async function startReplay() {
  addTexts("replay");
  await loadLanguage();
  showReaderSettings(find("[data-tools]"));
  find("[data-sign-out]").addEventListener("click", () => void endSession());
  await whenSignedIn(openSite, (unreachable) => say(unreachable ? t("error.unreachable") : ""));
}

/** @param {string} text */
const say = (text) => setText(find("[data-trouble]"), text);

/** @param {Session} session */
function openSite({ user, sites }) {
  keepSessionFresh();
  const asked = readAddress(location.search);
  const remembered = asked.site ?? Number(recall(SITE));
  const site = sites.find(({ id }) => id === remembered) ?? (asked.site === null ? sites[0] : undefined);
  if (!user.may.includes("replay-days")) {
    say(t("replay.forbidden"));
    find("[data-home]").hidden = false;
    find("[data-home]").setAttribute("href", homeOf(user.role));
    return;
  }
  if (site === undefined) {
    say(t(sites.length > 0 ? "replay.foreign" : "desk.no_site"));
    return;
  }
  showSites(sites, site);
  find("[data-choose]").hidden = false;
  new Replay(site, asked);
}

/**
 * @param {Site[]} sites
 * @param {Site} site
 */
function showSites(sites, site) {
  const select = /** @type {HTMLSelectElement} */ (find("[data-site-select]"));
  select.replaceChildren(...sites.map(({ id, name }) => element("option", { value: String(id) }, name)));
  select.value = String(site.id);
  select.addEventListener("change", () => {
    remember(SITE, select.value);
    location.assign("/replay");
  });
  find(".site-choice").hidden = sites.length < 2;
  setText(find("[data-site]"), sites.length < 2 ? site.name : "");
}

/** The page of one site. */
class Replay {
  #site;
  /** @type {Player | null} */
  #player = null;
  #screen = /** @type {HTMLSelectElement} */ (find("[data-screen]"));
  #date = /** @type {HTMLInputElement} */ (find("[data-date]"));
  #time = /** @type {HTMLInputElement} */ (find("[data-time]"));
  #fold = /** @type {HTMLSelectElement} */ (find("[data-fold]"));
  #slider = /** @type {HTMLInputElement} */ (find("[data-slider]"));
  #speed = /** @type {HTMLSelectElement} */ (find("[data-speed]"));
  #calendarDate = /** @type {HTMLInputElement} */ (find("[data-calendar-date]"));
  #changesOnly = /** @type {HTMLInputElement} */ (find("[data-changes-only]"));
  /** The date that the last moment was asked for, and the offsets of the server around it. @type {{day: string, offsets: import("../shared/i18n.js").OffsetSince[]} | null} */
  #told = null;

  /**
   * @param {Site} site
   * @param {import("./address.js").Linked} asked  by the address
   */
  constructor(site, asked) {
    this.#site = site;
    this.#offer([{ screen: "desk", name: "" }, { screen: "calendar", name: "" }, { screen: "display", name: "" }], "desk");
    const now = Date.now() - SECOND_MS;
    const at = Math.min(asked.at ?? now, now);
    const minutes = this.#offset(at);
    const local = withOffset(at, minutes);
    this.#date.max = withOffset(now, this.#offset(now)).slice(0, 10);
    this.#date.value = local.slice(0, 10);
    this.#time.value = local.slice(11, 19);
    this.#showFold(this.#instants(local.slice(0, 19)), minutes);
    find("form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#open();
    });
    for (const input of [this.#date, this.#time]) input.addEventListener("input", () => this.#showFold(this.#instants(this.#local)));
    this.#screen.addEventListener("change", () => this.#showCalendarDate());
    this.#connect();
    connectWhatIf(site, () => this.#date.value);
    void this.#loadScreens().then(() => {
      if (asked.screen === null || asked.at === null) return;
      if (![...this.#screen.options].some(({ value }) => value === asked.screen)) {
        this.#screen.append(element("option", { value: asked.screen }, asked.screen)); // it may be gone today
      }
      this.#screen.value = asked.screen;
      this.#calendarDate.value = asked.date ?? "";
      this.#showCalendarDate();
      void this.#open();
    });
  }

  /** The chosen local time: YYYY-MM-DDTHH:MM:SS. */
  get #local() {
    return `${this.#date.value}T${this.#time.value}`;
  }

  /** Return the instants of a local time of the site: by the offsets of the server, or else those of the browser's zone data. @param {string} local */
  #instants(local) {
    const day = local.slice(0, 10);
    if (!/^\d{4}-\d{2}-\d{2}$/.test(day)) return [];
    return instantsOf(local, this.#told?.day === day ? this.#told.offsets : browserOffsets(day, this.zone));
  }

  #showCalendarDate() {
    find("[data-calendar-field]").hidden = this.#screen.value !== "calendar";
  }

  get zone() {
    return this.#site.time_zone;
  }

  #connect() {
    const press = (/** @type {string} */ name, /** @type {(player: Player) => unknown} */ act) =>
      find(`[data-${name}]`).addEventListener("click", () => void (this.#player !== null && act(this.#player)));
    press("back", (player) => player.back());
    press("forward", (player) => player.forward());
    press("play", (player) => (player.playing ? player.pause() : player.play()));
    this.#speed.addEventListener("change", () => {
      if (this.#player !== null) this.#player.speed = Number(this.#speed.value);
    });
    this.#changesOnly.addEventListener("change", () => {
      if (this.#player !== null) this.#player.changesOnly = this.#changesOnly.checked;
    });
    find("[data-copy]").addEventListener("click", () => void this.#copyLink());
    pressByKeys({
      back: () => this.#click("back"),
      forward: () => this.#click("forward"),
      play: () => this.#click("play"),
      speed: (steps) => {
        const at = Math.min(Math.max(SPEEDS.indexOf(this.#speed.value) + steps, 0), SPEEDS.length - 1);
        this.#speed.value = SPEEDS[at] ?? "1";
        this.#speed.dispatchEvent(new Event("change"));
      },
    });
    this.#slider.addEventListener("input", () => this.#slider.setAttribute("aria-valuetext", this.#words(Number(this.#slider.value))));
    this.#slider.addEventListener("change", () => {
      const at = Number(this.#slider.value);
      void this.#player?.goTo(at, this.#offset(at));
    });
  }

  /** @param {string} name */
  #click(name) {
    const button = /** @type {HTMLButtonElement} */ (find(`[data-${name}]`));
    if (this.#player?.moment != null && !button.disabled) button.click();
  }

  /** The link to what the page shows now. The server checks the right of whoever opens it. */
  get #link() {
    const player = this.#player;
    if (player?.moment == null) return location.href;
    const at = Math.floor(player.now / SECOND_MS) * SECOND_MS;
    const date = player.screen === "calendar" && this.#calendarDate.value !== "" ? this.#calendarDate.value : null;
    return addressOf(location.href, { site: this.#site.id, screen: player.screen, at: withOffset(at, this.#offset(at)), date });
  }

  async #copyLink() {
    const link = this.#link;
    const done = await navigator.clipboard?.writeText(link).then(() => true, () => false);
    setText(find("[data-copied]"), done ? t("replay.copied") : link);
  }

  /** Offer the screens that the site has now, until a past moment names its own. */
  async #loadScreens() {
    const found = await ask(`/api/v1/sites/${this.#site.id}`).catch(() => null);
    if (found?.body == null) return;
    offerRecords(found.body);
    if (this.#player !== null) return;
    const named = (/** @type {string} */ kind, /** @type {{id: number, name: string}[]} */ records) => records.map(({ id, name }) => ({ screen: `${kind}:${id}`, name }));
    const { displays, points, kiosks } = found.body;
    const all = ["desk", "calendar", "display"].map((screen) => ({ screen, name: "" }));
    this.#offer([...all, ...named("display", displays), ...named("point", points), ...named("kiosk", kiosks)], this.#screen.value);
  }

  /**
   * @param {Choice[]} screens
   * @param {string} chosen
   */
  #offer(screens, chosen) {
    const text = (/** @type {Choice} */ { screen, name }) => (screen.includes(":") ? t(`replay.screen.${screen.split(":")[0]}.named`, { name }) : t(`replay.screen.${screen}`));
    const options = screens.map((/** @type {Choice} */ each) => element("option", { value: each.screen }, text(each)));
    this.#screen.replaceChildren(...options);
    this.#screen.value = screens.some(({ screen }) => screen === chosen) ? chosen : "desk";
  }

  /** Show the chosen screen at the chosen time. */
  async #open() {
    const local = this.#local;
    if (this.#date.value === "" || this.#time.value === "") {
      say(t("replay.choose_time"));
      return;
    }
    const instants = this.#instants(local);
    const chosen = instants.find(({ minutes }) => String(minutes) === this.#fold.value) ?? instants[0];
    this.#showFold(instants, chosen?.minutes);
    if (chosen === undefined) {
      this.#hide();
      say(t("replay.gap", { time: timeOf(local) }));
      return;
    }
    say("");
    this.#player?.close();
    const screen = this.#screen.value;
    const title = this.#screen.selectedOptions[0]?.textContent ?? "";
    const frame = new ScreenFrame(find("[data-frame]"), { screen, site: this.#site, language: currentLanguage(), title: t("replay.frame", { screen: title }) });
    const tell = (/** @type {any} */ told) => void frame.tell(told).catch(() => say(t("error.unreachable")));
    const player = (this.#player = new Player(this.#site.id, screen, tell, this.#calendarDate.value || null));
    player.speed = Number(this.#speed.value);
    player.changesOnly = this.#changesOnly.checked;
    player.addEventListener("change", () => this.#paint(player));
    player.addEventListener("failed", () => say(errorMessage(player.error)));
    await this.#goTo(player, chosen);
    const { moment } = player;
    if (moment === null || player !== this.#player) return;
    learnOffsets(moment);
    // The server's own offsets decide: the browser's zone data may be old.
    this.#told = { day: this.#date.value, offsets: moment.offsets };
    const known = this.#instants(local);
    const first = known.find(({ minutes }) => minutes === chosen.minutes) ?? known[0];
    this.#showFold(known, first?.minutes);
    if (first === undefined) {
      this.#hide();
      say(t("replay.gap", { time: timeOf(local) }));
      return;
    }
    if (first.at !== chosen.at) await this.#goTo(player, first);
    this.#offer(moment.screens, screen);
  }

  #hide() {
    this.#player?.close();
    this.#player = null;
    find("[data-player]").hidden = true;
  }

  /** @param {Player} player @param {{at: number, minutes: number}} instant */
  async #goTo(player, { at, minutes }) {
    await player.goTo(Math.min(at, Date.now() - SECOND_MS), minutes);
  }

  /**
   * Offer both instants of a local time that the clock shows twice.
   *
   * @param {{at: number, minutes: number}[]} instants
   * @param {number} [minutes]  the chosen one, by its offset
   */
  #showFold(instants, minutes) {
    const doubled = instants.length > 1;
    const chosen = minutes === undefined ? this.#fold.value : String(minutes);
    find("[data-fold-field]").hidden = !doubled;
    this.#fold.replaceChildren(...(doubled ? instants.map(({ minutes: each }) => element("option", { value: String(each) }, offsetName(each))) : []));
    if (doubled) this.#fold.value = instants.some(({ minutes: each }) => String(each) === chosen) ? chosen : String(instants[0]?.minutes ?? "");
  }

  /** @param {number} at */
  #offset(at) {
    return offsetAt(this.zone, at) ?? guessedOffset(new Date(at).toISOString().slice(0, 16), this.zone);
  }

  /** The moment in words: day, time with seconds, and the offset. @param {number} at */
  #words(at) {
    return t("replay.moment", { day: formatDay(at, this.zone), time: toTheSecond(at, this.zone), offset: offsetName(this.#offset(at)) });
  }

  /** @param {Player} player */
  #paint(player) {
    if (player !== this.#player || player.moment === null) return;
    const { moment, now, playing } = player;
    learnOffsets(moment);
    useClock(moment.cells.site?.clock);
    find("[data-player]").hidden = false;
    setText(find("[data-moment]"), this.#words(now));
    setText(find("[data-play]"), playing ? t("replay.pause") : t("replay.play"));
    /** @type {HTMLButtonElement} */ (find("[data-back]")).disabled = player.seq <= 1;
    /** @type {HTMLButtonElement} */ (find("[data-forward]")).disabled = player.seq >= moment.last;
    const { begins, turns } = moment;
    Object.assign(this.#slider, { min: String(begins), max: String(Math.min(turns, Math.max(begins, Date.now() - SECOND_MS))), step: String(SECOND_MS) });
    if (document.activeElement !== this.#slider || playing) this.#slider.value = String(now);
    this.#slider.setAttribute("aria-valuetext", this.#words(now));
    this.#list(find("[data-passed]"), player.passed.toReversed());
    this.#list(find("[data-coming]"), player.coming.slice(0, COMING_LISTED));
    find("[data-lacking]").hidden = false;
    setText(find("[data-lacking]"), t(`replay.lacking.${player.screen.split(":")[0]}`));
    if (!playing) {
      setText(find("[data-copied]"), "");
      history.replaceState(null, "", this.#link);
    }
  }

  /**
   * @param {HTMLElement} list
   * @param {Happened[]} events
   */
  #list(list, events) {
    updateList(list, events, ({ seq }) => seq, () => element("li", {}, element("span", { className: "replay-when" }), element("span", { className: "replay-label" }), element("span")), (row, event) => {
      const [when, label, what] = row.children;
      if (when) setText(when, toTheSecond(event.at, this.zone));
      if (label) setText(label, event.label ?? "");
      if (what) setText(what, eventText(event.type));
    });
  }
}

/** Return a time of day with its seconds: "10:42:10". @param {number} at @param {string} zone */
const toTheSecond = (at, zone) => formatTime(at, zone).replace(/\d+:\d\d/, (time) => `${time}:${String(new Date(at).getUTCSeconds()).padStart(2, "0")}`);

/** @param {string} type */
function eventText(type) {
  if (hasText(`replay.event.${type}`)) return t(`replay.event.${type}`);
  return t(/^(appointment|hold)-/.test(type) ? "replay.event.appointment" : "replay.event.other");
}
