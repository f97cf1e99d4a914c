/** A past screen in a frame of its own: the real page, without its scripts and dialogs. */

import { element } from "../shared/dom.js";
import { request } from "../shared/request.js";

/** @typedef {import("../replay-frame/frame.js").Told} Told */

/** The page of each kind of screen. */
const PAGES = new Map([["desk", "/reception"], ["display", "/display"], ["point", "/room"], ["kiosk", "/kiosk"], ["calendar", "/calendar"]]);

/** One screen. `tell` draws a view in it. */
export class ScreenFrame {
  #opened;
  #frame;

  /**
   * @param {HTMLElement} place
   * @param {import("../replay-frame/frame.js").Opening & {title: string}} opening
   */
  constructor(place, { title, ...opening }) {
    const [kind = "desk"] = opening.screen.split(":");
    const frame = element("iframe", { className: "replay-frame", title });
    frame.dataset.kind = kind;
    this.#frame = frame;
    this.#opened = (async () => {
      frame.srcdoc = await pageOf(kind);
      const ready = new Promise((done) => {
        const hear = (/** @type {MessageEvent} */ { source, data }) => {
          if (source !== frame.contentWindow || data?.ready !== true) return;
          removeEventListener("message", hear);
          done(undefined);
        };
        addEventListener("message", hear);
      });
      place.replaceChildren(frame);
      await ready;
      for (const type of ["focus", "blur"]) frame.contentWindow?.addEventListener(type, () => frame.classList.toggle("has-focus", type === "focus"));
      this.#send({ opening });
    })();
  }

  /** Draw a view. Rejects if the page did not load. @param {Told} told */
  async tell(told) {
    await this.#opened;
    this.#send({ told });
  }

  /** @param {object} message */
  #send(message) {
    this.#frame.contentWindow?.postMessage(message, location.origin);
  }
}

/**
 * Return the page of a kind of screen as a document that shows and does nothing by itself. Throws if it does not load.
 *
 * @param {string} kind
 */
async function pageOf(kind) {
  const answer = await request(PAGES.get(kind) ?? "/reception");
  if (!answer.ok) throw new Error(`the page answered ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const each of page.querySelectorAll("script:not([src*='theme.js']), link[rel='modulepreload'], dialog, [data-pairing], [data-panel], [data-warning], .room-choice")) each.remove();
  const { documentElement: root, head, body } = page;
  root.lang = document.documentElement.lang;
  root.dir = document.documentElement.dir;
  body.classList.add("is-replayed");
  for (const each of page.querySelectorAll("header, main, footer")) unmarked(each); // the page around has its own
  for (const each of page.querySelectorAll("button, input, select, textarea")) each.setAttribute("disabled", "");
  for (const each of page.querySelectorAll("aside")) each.setAttribute("tabindex", "0"); // the keyboard scrolls it: its buttons take no focus
  const style = new URL("../../css/replay-frame.css", import.meta.url).href;
  const script = new URL("../replay-frame/frame.js", import.meta.url).href;
  head.append(element("link", { rel: "stylesheet", href: style }), element("script", { type: "module", src: script }));
  return `<!doctype html>${root.outerHTML}`;
}

/** Put a plain element in the place of a landmark. @param {Element} landmark */
function unmarked(landmark) {
  const plain = element("div", {}, ...landmark.childNodes);
  for (const { name, value } of landmark.attributes) plain.setAttribute(name, value);
  landmark.replaceWith(plain);
}
