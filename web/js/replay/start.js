/** The page that shows past screens: any display, desk or room of a site as it was at an instant, and what followed. */

import { showReaderSettings } from "../components/reader-settings.js";
import { errorMessage } from "../desk/error-messages.js";
import { endSession, whenSignedIn } from "../desk/staff-session.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { addTexts, currentLanguage, formatDay, formatTime, hasText, learnOffsets, loadLanguage, offsetAt, t, useClock } from "../shared/i18n.js";
import { offsetName } from "../shared/local-time.js";
import { recall, remember } from "../shared/memory.js";
import { homeOf, keepSessionFresh } from "../shared/session.js";
import { ask } from "../shared/staff-requests.js";
import { guessedOffset, instantsOf, withOffset } from "./instants.js";
import { Player } from "./player.js";
import { ScreenFrame } from "./screen-frame.js";
import { connectWhatIf, offerPoints } from "./what-if.js";

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
  const remembered = Number(recall(SITE));
  const site = sites.find(({ id }) => id === remembered) ?? sites[0];
  if (!user.may.includes("replay-days")) {
    say(t("replay.forbidden"));
    find("[data-home]").hidden = false;
    find("[data-home]").setAttribute("href", homeOf(user.role));
    return;
  }
  if (site === undefined) {
    say(t("desk.no_site"));
    return;
  }
  showSites(sites, site);
  find("[data-choose]").hidden = false;
  new Replay(site);
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
    location.reload();
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

  /** @param {Site} site */
  constructor(site) {
    this.#site = site;
    this.#offer([{ screen: "desk", name: "" }, { screen: "display", name: "" }], "desk");
    const now = Date.now() - SECOND_MS;
    const local = withOffset(now, guessedOffset(new Date(now).toISOString().slice(0, 16), site.time_zone));
    this.#date.value = this.#date.max = local.slice(0, 10);
    this.#time.value = local.slice(11, 19);
    find("form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#open();
    });
    for (const input of [this.#date, this.#time]) input.addEventListener("input", () => this.#showFold([]));
    this.#connect();
    connectWhatIf(site, () => this.#date.value);
    void this.#loadScreens();
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
    this.#slider.addEventListener("input", () => this.#slider.setAttribute("aria-valuetext", this.#words(Number(this.#slider.value))));
    this.#slider.addEventListener("change", () => {
      const at = Number(this.#slider.value);
      void this.#player?.goTo(at, this.#offset(at));
    });
  }

  /** Offer the screens that the site has now, until a past moment names its own. */
  async #loadScreens() {
    const found = await ask(`/api/v1/sites/${this.#site.id}`).catch(() => null);
    if (found?.body == null) return;
    offerPoints(found.body.points);
    if (this.#player !== null) return;
    const named = (/** @type {string} */ kind, /** @type {{id: number, name: string}[]} */ records) => records.map(({ id, name }) => ({ screen: `${kind}:${id}`, name }));
    const { displays, points } = found.body;
    this.#offer([{ screen: "desk", name: "" }, { screen: "display", name: "" }, ...named("display", displays), ...named("point", points)], this.#screen.value);
  }

  /**
   * @param {Choice[]} screens
   * @param {string} chosen
   */
  #offer(screens, chosen) {
    const text = (/** @type {Choice} */ { screen, name }) => (screen === "desk" ? t("replay.screen.desk") : screen === "display" ? t("replay.screen.display") : t(`replay.screen.${screen.split(":")[0]}.named`, { name }));
    const options = screens.map((/** @type {Choice} */ each) => element("option", { value: each.screen }, text(each)));
    this.#screen.replaceChildren(...options);
    this.#screen.value = screens.some(({ screen }) => screen === chosen) ? chosen : "desk";
  }

  /** Show the chosen screen at the chosen time. */
  async #open() {
    const local = `${this.#date.value}T${this.#time.value}`;
    if (this.#date.value === "" || this.#time.value === "") {
      say(t("replay.choose_time"));
      return;
    }
    say("");
    this.#player?.close();
    const screen = this.#screen.value;
    const title = this.#screen.selectedOptions[0]?.textContent ?? "";
    const frame = new ScreenFrame(find("[data-frame]"), { screen, site: this.#site, language: currentLanguage(), title: t("replay.frame", { screen: title }) });
    const player = (this.#player = new Player(this.#site.id, screen, (told) => void frame.tell(told).catch(() => say(t("error.unreachable")))));
    player.speed = Number(this.#speed.value);
    player.addEventListener("change", () => this.#paint(player));
    player.addEventListener("failed", () => say(errorMessage(player.error)));
    const guess = this.#chosenOffset(local);
    await this.#goTo(player, local, guess);
    const { moment } = player;
    if (moment === null || player !== this.#player) return;
    learnOffsets(moment);
    // The server's own offsets decide: a local time has two instants when the clocks go back, and the browser may not know.
    const instants = instantsOf(local, moment.offsets);
    this.#showFold(instants);
    const first = instants[0];
    if (first !== undefined && !instants.some(({ minutes }) => minutes === guess)) await this.#goTo(player, local, first.minutes);
    this.#offer(moment.screens, screen);
  }

  /** @param {Player} player @param {string} local @param {number} minutes */
  async #goTo(player, local, minutes) {
    const at = Math.min(Date.parse(`${local}Z`) - minutes * 60_000, Date.now() - SECOND_MS);
    await player.goTo(at, minutes);
  }

  /** @param {string} local */
  #chosenOffset(local) {
    return this.#fold.value === "" ? guessedOffset(local, this.zone) : Number(this.#fold.value);
  }

  /** Offer both instants of a local time that the clock shows twice. @param {{at: number, minutes: number}[]} instants */
  #showFold(instants) {
    const doubled = instants.length > 1;
    const chosen = this.#fold.value;
    find("[data-fold-field]").hidden = !doubled;
    this.#fold.replaceChildren(...(doubled ? instants.map(({ minutes }) => element("option", { value: String(minutes) }, offsetName(minutes))) : []));
    if (doubled) this.#fold.value = instants.some(({ minutes }) => String(minutes) === chosen) ? chosen : String(instants[0]?.minutes ?? "");
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
