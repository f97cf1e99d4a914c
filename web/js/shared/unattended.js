/** Care for a screen that nobody operates: it stays on, reconnects after the device has slept, and does not burn in. */

const SLEPT_MS = 15_000;
const TURN_MS = 60_000;
// The page moves around its middle in twenty steps of one minute. REACH is in rem: a few millimetres.
const STEPS = 20;
const REACH = 0.25;

/**
 * Keep the screen on. Browsers allow it over HTTPS and on localhost only, and the page asks again after each time it was
 * hidden.
 */
export function keepScreenOn() {
  const ask = async () => {
    if (document.visibilityState !== "visible") return;
    try {
      await navigator.wakeLock?.request("screen");
    } catch {
      // the device refuses, for example at low battery
    }
  };
  document.addEventListener("visibilitychange", () => void ask());
  void ask();
}

/**
 * Call a function after the device has slept: the page is then out of date, and its connection is dead without an event.
 *
 * @param {() => void} onWake
 */
export function onWakeUp(onWake) {
  let before = Date.now();
  setInterval(() => {
    const now = Date.now();
    if (now - before > SLEPT_MS) onWake();
    before = now;
  }, 1_000);
}

/** Move the page a little every minute, because a display shows the same shapes in the same place for years. */
export function preventBurnIn() {
  let step = 0;
  setInterval(() => {
    step = (step + 1) % STEPS;
    const { x, y } = shiftAt(step);
    document.body.style.setProperty("--shift-x", `${x.toFixed(3)}rem`);
    document.body.style.setProperty("--shift-y", `${y.toFixed(3)}rem`);
  }, TURN_MS);
}

/**
 * Return the page's offset at a step, in rem.
 *
 * @param {number} step
 */
export function shiftAt(step) {
  const angle = (2 * Math.PI * step) / STEPS;
  return { x: REACH * Math.sin(angle), y: (REACH / 2) * Math.sin(2 * angle) };
}
