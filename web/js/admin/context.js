import { errorMessage } from "../desk/error-messages.js";
import { untilShown } from "../desk/orders.js";
import { CommandFailed, previewCommand, sendCommand } from "../shared/commands.js";
import { element, find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { confirmChange } from "./confirm.js";
import { ask } from "./requests.js";
import { Toast } from "./toast.js";

/**
 * @typedef {import("../live/connection.js").Connection} Connection
 * @typedef {import("../live/view.js").Cells} Cells
 * @typedef {import("../shared/commands.js").Answer} Answer
 * @typedef {import("../shared/session.js").Site} Site
 * @typedef {import("../shared/session.js").User} User
 * @typedef {import("./sections.js").Section} Section
 *
 * @typedef {{command: string, body: Record<string, unknown>}} Order
 *
 * @typedef {object} Question  what the page asks before a change, if it needs to ask
 * @property {string} [title]
 * @property {string} [lead]
 * @property {string} [yes]    the text of the button that confirms
 *
 * @typedef {object} More
 * @property {Order | ((answer: Answer) => Order | null) | null} [undo]  the inverse change
 * @property {string} [said]         the text of the toast; "Saved." without it
 * @property {Question} [question]   asked if the change affects people, and always with `always`
 * @property {boolean} [always]
 * @property {boolean} [confirmed]   the user has seen the people and confirmed already: do not ask
 *
 * @typedef {Order & More} Change
 */

/** What all sections of the page share. */
export class Administration {
  /** The section that is open. @type {AbortController} */
  #open = new AbortController();

  /** @param {{site: Site, sites: Site[], user: User, connection: Connection, signedOut: () => void}} parts */
  constructor({ site, sites, user, connection, signedOut }) {
    this.site = site;
    this.sites = sites;
    this.user = user;
    this.connection = connection;
    this.signedOut = signedOut;
    this.toast = new Toast();
    this.allowed = new Set(user.may);
  }

  /**
   * Close the open section and show another one. null shows none.
   *
   * @param {Section | null} section
   */
  async show(section) {
    this.#open.abort();
    const { signal } = (this.#open = new AbortController());
    const root = element("div", { className: "admin-section" });
    root.dataset.section = section?.id ?? "";
    find("[data-section]").replaceWith(root);
    setText(find("[data-trouble]"), "");
    if (section === null) return;
    root.setAttribute("aria-busy", "true");
    try {
      const { open } = await section.load();
      if (!signal.aborted) await open(root, new Context(this, signal));
    } catch (error) {
      if (signal.aborted) return;
      setText(find("[data-trouble]"), error instanceof CommandFailed ? errorMessage(error) : t("error.unreachable"));
    }
    root.removeAttribute("aria-busy");
  }
}

/** What a section works with. It ends when the user opens another section. */
export class Context {
  #all;

  /**
   * @param {Administration} all
   * @param {AbortSignal} signal  aborts when the section closes
   */
  constructor(all, signal) {
    this.#all = all;
    this.signal = signal;
  }

  /** The site that the page shows. */
  get site() {
    return this.#all.site;
  }

  /** All sites of the user. */
  get sites() {
    return this.#all.sites;
  }

  /** The member of staff who uses the page. */
  get user() {
    return this.#all.user;
  }

  get connection() {
    return this.#all.connection;
  }

  /** The latest cells of the site. @returns {Cells} */
  get cells() {
    return this.connection.view.cells;
  }

  /** The time zone of the site. @returns {string} */
  get zone() {
    return this.cells.get("site")?.time_zone ?? this.site.time_zone;
  }

  /** Return whether the user may do an action. @param {string} action */
  may(action) {
    return this.#all.allowed.has(action);
  }

  /**
   * Paint now, if the cells have come, and after every change until the section closes.
   *
   * @param {(cells: Cells) => void} paint
   */
  onView(paint) {
    const look = () => {
      if (this.cells.size > 0) paint(this.cells);
    };
    this.connection.addEventListener("view", look, { signal: this.signal });
    look();
  }

  /** Wait for the first cells. */
  async loaded() {
    if (this.cells.size > 0) return;
    await new Promise((resolve) => this.connection.addEventListener("view", resolve, { once: true, signal: this.signal }));
  }

  /**
   * Send a command and wait until the page shows its effect. Throws `CommandFailed`.
   *
   * @param {string} command
   * @param {Record<string, unknown>} body
   */
  async send(command, body) {
    const answer = await this.watched(sendCommand(command, body));
    await untilShown(this.connection, answer.seq);
    return answer;
  }

  /**
   * Make a change. If it affects people or screens, the page lists them and asks first. Afterwards a toast offers the undo.
   * Returns the answer, or null if the user did not confirm. Throws `CommandFailed`.
   *
   * @param {Change} change
   * @returns {Promise<Answer | null>}
   */
  async change({ command, body, undo = null, said = t("admin.saved"), question, always = false, confirmed = false }) {
    if (!confirmed) {
      const { affects = [] } = await this.watched(previewCommand(command, body));
      if ((always || affects.length > 0) && !(await confirmChange(affects, question))) return null;
    }
    return this.#all.toast.during(this.#changed({ command, body, undo, said }));
  }

  /** @param {Change} change */
  async #changed({ command, body, undo, said = "" }) {
    const answer = await this.send(command, body);
    const inverse = typeof undo === "function" ? undo(answer) : (undo ?? null);
    this.say(said, inverse === null ? null : () => this.change({ ...inverse, said: t("admin.undone") }));
    return answer;
  }

  /**
   * Return the result of several changes that belong together and show one undo with `say` at their end.
   *
   * @template T
   * @param {Promise<T>} changes
   * @returns {Promise<T>}
   */
  together(changes) {
    return this.#all.toast.during(changes);
  }

  /**
   * Show a text for a while, with a button that undoes the change if there is a way.
   *
   * @param {string} text
   * @param {(() => Promise<unknown>) | null} [undo]
   */
  say(text, undo = null) {
    this.#all.toast.show(text, undo);
  }

  /**
   * Show a refusal that belongs to no field.
   *
   * @param {unknown} error
   */
  complain(error) {
    this.#all.toast.show(errorMessage(error), null, true);
  }

  /**
   * Ask the server for JSON. Throws `CommandFailed`.
   *
   * @param {string} address
   * @param {{method?: string, body?: object}} [options]
   * @returns {Promise<any>}
   */
  ask(address, options) {
    return this.watched(ask(address, { ...options, signal: this.signal }));
  }

  /**
   * Lead to the sign-in if an answer says that the session is over.
   *
   * @template T
   * @param {Promise<T>} asked
   * @returns {Promise<T>}
   */
  async watched(asked) {
    try {
      return await asked;
    } catch (error) {
      if (error instanceof CommandFailed && error.code === "not_signed_in") this.#all.signedOut();
      throw error;
    }
  }
}
