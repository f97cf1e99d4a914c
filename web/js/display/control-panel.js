import { find } from "../shared/dom.js";
import { chooseTheme, chosenTheme } from "../shared/theme.js";

const SHOWN_MS = 12_000;

/**
 * The few things that somebody who stands before the screen may want: there when the mouse, a finger or a key moves, and
 * gone when nobody is there any more.
 *
 * @param {HTMLElement} panel
 * @param {{test: () => Promise<void>, pairAnew: () => void}} does
 */
export function showControlPanel(panel, { test, pairAnew }) {
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
      const closing = event instanceof KeyboardEvent && event.key === "Escape";
      if (closing) hide();
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
  find("[data-pair-anew]", panel).addEventListener("click", pairAnew);
  find("[data-close-panel]", panel).addEventListener("click", (event) => {
    event.stopPropagation();
    hide();
  });
}
