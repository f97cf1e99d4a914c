import { standingCells } from "../components/call-board.js";
import { showBoard } from "../components/display-board.js";
import { Connection } from "../live/connection.js";
import { element, setText } from "../shared/dom.js";
import { formatTime, t } from "../shared/i18n.js";
import { refreshSession } from "../shared/session.js";

/** @typedef {import("./context.js").Context} Context */

const LOOK_MS = 5_000;
const RETRY_MS = 3_000;

/**
 * A small live picture of a display: it follows the display's own view, and draws it with the display's own parts. It
 * follows only while it is on the screen.
 */
export class Thumbnail {
  #context;
  #connection;
  #screen = boardOf();
  #off = element("p", { className: "thumbnail-off" });

  /**
   * @param {Context} context
   * @param {number} id  of the display
   */
  constructor(context, id) {
    this.#context = context;
    this.#connection = new Connection(`/live/displays/${id}`);
    this.element = element("div", { className: "thumbnail" }, this.#screen, this.#off);
    this.element.dataset.thumbnail = String(id);
    const paint = () => this.#paint();
    const { signal } = context;
    this.#connection.addEventListener("view", paint, { signal });
    this.#connection.addEventListener("state", () => void this.#follow(), { signal });
    const timer = setInterval(paint, LOOK_MS);
    const seen = new IntersectionObserver((entries) => {
      if (entries.at(-1)?.isIntersecting) this.#connection.open();
      else this.#connection.close();
    });
    seen.observe(this.element);
    signal.addEventListener("abort", () => {
      clearInterval(timer);
      seen.disconnect();
      this.#connection.close();
    });
  }

  /** Show why the screen is dark, or nothing. @param {string} text */
  setOff(text) {
    setText(this.#off, text);
    this.#off.hidden = text === "";
  }

  /** Refresh a session that the server no longer accepts. */
  async #follow() {
    const { state, refusal } = this.#connection;
    this.element.dataset.state = state;
    if (refusal !== 401) return;
    const accepted = await refreshSession().catch(() => null);
    if (this.#context.signal.aborted || accepted === false) return;
    setTimeout(() => this.#context.signal.aborted || this.#connection.open(), accepted ? 0 : RETRY_MS);
  }

  #paint() {
    const { view } = this.#connection;
    if (view.cells.size === 0) return;
    const now = this.#connection.now();
    showBoard(standingCells(view.cells, now), now, this.#screen);
    const clock = this.#screen.querySelector(".thumbnail-clock");
    if (clock !== null) setText(clock, formatTime(now, view.cells.get("site")?.time_zone));
  }
}

/** Return the parts of a display's page, without those that a person uses. */
function boardOf() {
  const part = (/** @type {string} */ name, /** @type {HTMLElement} */ made) => {
    made.dataset[name] = "";
    return made;
  };
  const title = (/** @type {string} */ key) => element("p", { className: "thumbnail-title" }, t(key));
  const screen = element(
    "div",
    { className: "thumbnail-screen" },
    element(
      "div",
      { className: "thumbnail-calls" },
      title("display.calls"),
      part("calls", element("ol", { className: "thumbnail-board" })),
      part("noCalls", element("p", { className: "thumbnail-none" }, t("display.no_calls"))),
      part("lastCalls", element("div", { className: "thumbnail-last" }, title("display.last_calls"), element("ol", { className: "last-calls-list" }))),
    ),
    element("div", { className: "thumbnail-next" }, title("display.next_up"), part("nextUp", element("ol", { className: "thumbnail-queues" }))),
    element("p", { className: "thumbnail-foot" }, part("site", element("span")), part("message", element("span", { className: "thumbnail-message" })), element("span", { className: "thumbnail-clock" })),
  );
  screen.setAttribute("aria-hidden", "true"); // the same texts are in the list of calls at reception
  return screen;
}
