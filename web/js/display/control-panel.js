import { find } from "../shared/dom.js";
import { chooseTheme, chosenTheme } from "../shared/theme.js";

const SHOWN_MS = 12_000;

/**
 * The controls of a display, for a person in front of it. They appear with the mouse, a touch or a key, and disappear 12
 * seconds after the last sign of use.
 *
 * @param {HTMLElement} panel
 * @param {{test: () => Promise<void>, pairAgain: () => void}} does
 */
export function showControlPanel(panel, { test, pairAgain }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const hide = () => {
    clearTimeout(timer);
    panel.hidden = true;
    delete document.body.dataset.attended;
  };
  const show = () => {
    clearTimeout(timer);
    panel.hidden = false;
    document.body.dataset.attended = "";
    timer = setTimeout(hide, SHOWN_MS);
  };
  for (const sign of ["pointermove", "pointerdown", "keydown", "focusin"]) {
    document.addEventListener(sign, (event) => {
      if (event instanceof KeyboardEvent && event.key === "Escape") hide();
      else show();
    });
  }
  const testButton = find("[data-sound-test]", panel);
  testButton.addEventListener("click", async () => {
    testButton.setAttribute("aria-busy", "true");
    await test();
    testButton.removeAttribute("aria-busy");
  });
  find("[data-full-screen]", panel).addEventListener("click", () => {
    const whole = document.documentElement;
    void (document.fullscreenElement ? document.exitFullscreen() : whole.requestFullscreen?.()).catch?.(() => {});
  });
  const theme = /** @type {HTMLSelectElement} */ (find("[data-theme-choice]", panel));
  theme.value = chosenTheme();
  theme.addEventListener("change", () => chooseTheme(/** @type {import("../shared/theme.js").Theme} */ (theme.value)));
  find("[data-pair-anew]", panel).addEventListener("click", pairAgain);
  find("[data-close-panel]", panel).addEventListener("click", (event) => {
    event.stopPropagation();
    hide();
  });
}
