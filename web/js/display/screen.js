import { Announcer } from "../components/announcer.js";
import { doubtfulCalls, standingCells } from "../components/call-board.js";
import { isAnyLate, showBoard } from "../components/display-board.js";
import { showLive } from "../components/live-mark.js";
import { liveAddress } from "../device/identity.js";
import { JoinCode, joinCodeOf } from "../device/join-code.js";
import { Connection } from "../live/connection.js";
import { find, setText } from "../shared/dom.js";
import { formatTime, hasText, loadLanguage, loadPart, nameIn, offsetAt, preferredLanguages, t, useClock } from "../shared/i18n.js";
import { Sound } from "../shared/sound.js";
import { VERSION } from "../shared/version.js";
import { Speaker, serverVoice } from "./speaker.js";

/**
 * @typedef {import("../live/cells.js").JoinableSite} Site
 * @typedef {import("../shared/offline.js").Saved} Saved
 * @typedef {import("../shared/offline.js").SavedView} SavedView
 */

/** One display: it follows its board, paints it, and announces new calls. */
export class DisplayScreen {
  connection;
  sound = new Sound();
  speaker;
  /** When the latest call came, in the browser's time (milliseconds). */
  lastCallAt = 0;
  #joinCode;
  /** Shows the calls from before an outage, once there was one. @type {ReturnType<typeof import("./doubtful-calls.js").doubtfulLine> | null} */
  #showDoubtful = null;
  #loadingDoubtful = false;
  /** The text of a delay is loaded with the first one. */
  #loadingLate = false;
  #announcer;
  #store;
  #saved;

  /**
   * @param {import("../device/identity.js").Identity} identity
   * @param {SavedView} store   where to save the board
   * @param {Saved | null} saved  the board of the last visit
   */
  constructor(identity, store, saved) {
    const { id, token } = identity;
    this.#store = store;
    this.#saved = saved;
    this.#announcer = new Announcer(saved?.more ?? null);
    this.connection = new Connection(`${liveAddress(identity)}?token=${encodeURIComponent(token)}`);
    this.speaker = new Speaker(this.sound, {
      ask: serverVoice(id, () => token),
      isOpen: ({ entry }) => this.#standing().has(`entry:${entry}`),
    });
    this.#joinCode = new JoinCode(find("[data-join-code]"), joinCodeOf(id, token));
    this.connection.addEventListener("view", () => void this.#paintView());
    this.connection.addEventListener("view", () => this.#announceView());
  }

  /** @returns {Site | undefined} */
  get site() {
    return this.connection.view.cells.get("site");
  }

  get zone() {
    return this.site?.time_zone;
  }

  /** Show the saved board until the server answers. */
  showSaved() {
    if (this.#saved === null) return;
    const { cells, seq, at } = this.#saved;
    document.body.dataset.kept = "";
    this.connection.showSaved({ cells: new Map(Object.entries(cells)), seq }, at);
  }

  /** Show the board as it is at this moment: with time, an open call becomes a past one. */
  showBoard() {
    showBoard(this.#standing(), this.connection.now());
    if (!hasText("display.late") && !this.#loadingLate && isAnyLate(this.connection.view.cells)) void this.#loadLate();
    const doubtful = doubtfulCalls(this.connection.view.cells);
    if (this.#showDoubtful !== null) this.#showDoubtful(doubtful);
    else if (doubtful.length > 0 && !this.#loadingDoubtful) void this.#loadDoubtful();
  }

  async #loadDoubtful() {
    this.#loadingDoubtful = true;
    try {
      const [{ doubtfulLine }] = await Promise.all([import("./doubtful-calls.js"), loadPart("doubt")]);
      this.#showDoubtful = doubtfulLine(find(".display-calls"));
      this.showBoard();
    } catch {
      this.#loadingDoubtful = false; // the next paint tries again
    }
  }

  async #loadLate() {
    this.#loadingLate = true;
    try {
      await loadPart("late");
      this.showBoard();
    } catch {
      // the next paint tries again
    }
    this.#loadingLate = false;
  }

  #standing() {
    return standingCells(this.connection.view.cells, this.connection.now());
  }

  paintLive() {
    this.#showJoinCode();
    showLive(this.connection, { page: "display", mark: find(".live-mark"), notice: find(".notice"), zone: this.zone });
  }

  showTime() {
    setText(find(".clock"), this.site === undefined ? "" : formatTime(this.connection.now(), this.zone));
  }

  /** Return the hour at the site: the clock of the device may be set to another time zone. */
  hour() {
    const now = this.connection.now();
    return new Date(now + (offsetAt(this.zone, now) ?? 0) * 60_000).getUTCHours();
  }

  /** Tell the server that the view is on the screen. */
  reportPainted() {
    this.connection.reportPainted({ muted: !this.sound.ready, version: VERSION });
  }

  /** Get ready to sound. Without a touch or a key the browser may refuse; then a hint asks for one. */
  async prepareSound() {
    this.showSoundHint(await this.sound.prepare());
  }

  /**
   * Show the hint while there is no sound, and report the sound's state.
   *
   * @param {boolean} [ready]
   */
  showSoundHint(ready = this.sound.ready) {
    find("[data-sound-hint]").hidden = ready;
    if (this.connection.state === "live") this.reportPainted();
  }

  async #paintView() {
    useClock(this.site?.clock);
    const language = this.site?.language;
    if (language !== undefined) {
      this.speaker.language = language;
      if (await loadLanguage(preferredLanguages(language)).catch(() => false)) this.paintLive();
    }
    this.#showJoinCode();
    this.showBoard();
    this.showTime();
  }

  #showJoinCode() {
    this.#joinCode.setLive(this.connection.state === "live" && this.site?.joining === true);
  }

  /** Announce the new calls of a view, and save the view. */
  #announceView() {
    const { connection } = this;
    const { cells, seq } = connection.view;
    if (connection.state === "connecting" && this.#saved !== null && seq === this.#saved.seq) return; // the saved view
    const calls = this.#announcer.take(this.#standing());
    const newest = calls.at(-1);
    if (newest !== undefined) {
      this.lastCallAt = Date.now();
      setText(find("[data-said]"), t("display.call", { label: newest.label, point: nameIn(newest.point, newest.names) }));
    }
    this.speaker.say(calls);
    this.#store.saveSoon(() => ({ at: connection.heardAt, seq, cells: Object.fromEntries(cells), more: this.#announcer.heard }));
    requestAnimationFrame(() => this.reportPainted());
  }
}
