import { element, find, setText, updateList } from "../shared/dom.js";
import { formatTime, t } from "../shared/i18n.js";
import { Sound } from "../shared/sound.js";

/**
 * @typedef {import("./desk.js").Kiosk} Kiosk
 * @typedef {Kiosk & {help_asked: number}} Asking
 */

const AGAIN_MS = 15_000;

/**
 * Show who asks for help at a kiosk, in a band that stays until somebody answers, with a chime.
 *
 * @param {import("./state.js").DeskState} state
 * @param {(kiosk: Kiosk) => void} answer
 */
export function showHelpCalls(state, answer) {
  const band = find("[data-help-calls]");
  const sound = new Sound();
  /** The requests that have been heard, by kiosk and time. */
  let heard = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  // Browsers play no sound before a person has used the page.
  const prepare = () => void (sound.ready || sound.prepare().catch(() => {}));
  for (const sign of ["pointerdown", "keydown"]) document.addEventListener(sign, prepare, { once: true });

  function ring() {
    clearTimeout(timer);
    void sound.ring();
    timer = setTimeout(ring, AGAIN_MS);
  }

  function paint() {
    const asking = /** @type {Asking[]} */ (state.desk.kiosks.filter(({ help_asked }) => help_asked !== null));
    band.hidden = asking.length === 0;
    updateList(find("ol", band), asking, ({ id }) => id, (kiosk) => makeCall(kiosk, state.may("answer-help")), (row, kiosk) => {
      setText(find(".help-where", row), [kiosk.name, kiosk.place].filter(Boolean).join(", "));
      setText(find(".help-since", row), t("desk.help.since", { time: formatTime(kiosk.help_asked, state.site.time_zone) }));
    });
    const now = asking.map(({ id, help_asked }) => `${id} ${help_asked}`).join();
    if (asking.length === 0) clearTimeout(timer);
    else if (now !== heard) ring();
    heard = now;
  }

  band.addEventListener("click", ({ target }) => {
    const button = /** @type {HTMLElement | null} */ (target instanceof Element ? target.closest("[data-answer]") : null);
    const kiosk = state.desk.kiosks.find(({ id }) => id === Number(button?.dataset.answer));
    if (kiosk !== undefined) answer(kiosk);
  });
  state.addEventListener("change", paint);
  paint();
}

/**
 * @param {Asking} kiosk
 * @param {boolean} mayAnswer
 */
function makeCall({ id }, mayAnswer) {
  const words = element("p", { className: "help-words" }, element("strong", {}, t("desk.help")), " ", element("span", { className: "help-where" }), " ", element("span", { className: "help-since" }));
  const button = element("button", { type: "button", className: "button is-primary" }, t("desk.help.answer"));
  button.dataset.answer = String(id);
  button.hidden = !mayAnswer;
  return element("li", { className: "help-call" }, words, button);
}
