import { element, find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { request } from "../shared/request.js";

/**
 * @typedef {{now: number, code: string | null, address: string | null, typed: string | null, qr: string | null, modules: number,
 *   changes_at: number, ends_at: number}} Answer  instants in milliseconds; `qr`: the dark modules as a path
 */

const SVG = "http://www.w3.org/2000/svg";
const ASK_MS = 10_000;
const RETRY_MS = 5_000;
const SPREAD_MS = 1_500; // all screens of a site change their code at the same time
const MARGIN = 4; // modules

/**
 * The code with which patients join a queue by phone, on a screen. It shows a code only while the screen is live, and never
 * one that has ended.
 */
export class JoinCode {
  #box;
  #ask;
  #live = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #next;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #end;
  #asked = 0;

  /**
   * @param {HTMLElement} box  empty and hidden
   * @param {() => Promise<Answer | null>} ask  asks the server for the code; null without an answer
   */
  constructor(box, ask) {
    this.#box = box;
    this.#ask = ask;
    const drawn = document.createElementNS(SVG, "svg");
    drawn.setAttribute("class", "join-code-qr");
    drawn.setAttribute("aria-hidden", "true"); // the address stands beside it
    drawn.append(document.createElementNS(SVG, "path"));
    const words = element(
      "div",
      { className: "join-code-words" },
      element("p", { className: "join-code-title" }),
      element("p", { className: "join-code-letters", dir: "ltr" }),
      element("p", { className: "join-code-address", dir: "ltr" }),
    );
    box.append(drawn, words);
  }

  /** Show the code while the screen is live and the site lets phones join. @param {boolean} live */
  setLive(live) {
    setText(find(".join-code-title", this.#box), t("join.screen"));
    if (live === this.#live) return;
    this.#live = live;
    if (live) void this.#refresh();
    else this.#hide();
  }

  async #refresh() {
    const asked = ++this.#asked;
    const answer = await this.#ask().catch(() => null);
    if (!this.#live || asked !== this.#asked) return;
    if (answer !== null) this.#show(answer);
    const waitMs = answer === null ? RETRY_MS : Math.max(RETRY_MS, answer.changes_at - answer.now) + Math.random() * SPREAD_MS;
    this.#next = setTimeout(() => void this.#refresh(), waitMs);
  }

  /** @param {Answer} answer */
  #show({ code, typed, qr, modules, now, ends_at: endsAt }) {
    clearTimeout(this.#end);
    this.#box.hidden = qr === null || typed === null;
    if (qr === null || typed === null) return;
    const drawn = find("svg", this.#box);
    drawn.setAttribute("viewBox", `${-MARGIN} ${-MARGIN} ${modules + 2 * MARGIN} ${modules + 2 * MARGIN}`);
    find("path", drawn).setAttribute("d", qr);
    setText(find(".join-code-address", this.#box), typed.replace(/^https?:\/\//, ""));
    const letters = find(".join-code-letters", this.#box);
    setText(letters, code === null ? "" : `${code.slice(0, 3)} ${code.slice(3)}`);
    letters.hidden = code === null;
    this.#end = setTimeout(() => (this.#box.hidden = true), endsAt - now);
  }

  #hide() {
    clearTimeout(this.#next);
    clearTimeout(this.#end);
    this.#asked += 1;
    this.#box.hidden = true;
  }
}

/**
 * Return a function that asks for the code with a device's own token.
 *
 * @param {string} id
 * @param {string} token
 * @returns {() => Promise<Answer | null>}
 */
export function joinCodeOf(id, token) {
  const headers = { Authorization: `Bearer ${token}` };
  return async () => {
    const answer = await request(`/api/v1/devices/${id}/join-code`, { cache: "no-store", headers }, ASK_MS);
    return answer.ok ? answer.json() : null;
  };
}
