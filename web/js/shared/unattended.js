/** What a screen needs that nobody stands by: it stays awake, notices that it slept, and does not burn in. */

const SLEPT_MS = 15_000;
const TURN_MS = 60_000;
// A slow walk around the middle: in twenty minutes every edge has been somewhere else. In rem, a few millimetres.
const STEPS = 20;
const REACH = 0.25;

/** Ask for the screen to stay on, again whenever the browser has dropped it. It needs HTTPS, or this very machine. */
export function keepScreenOn() {
  const ask = async () => {
    if (document.visibilityState !== "visible") return;
    try {
      await navigator.wakeLock?.request("screen");
    } catch {
      // the device decides: low battery, or no such thing
    }
  };
  document.addEventListener("visibilitychange", () => void ask());
  void ask();
}

/**
 * Call back when this device has slept: what it shows is old, and its connection dead without knowing it.
 *
 * @param {() => void} woke
 */
export function onWakeUp(woke) {
  let before = Date.now();
  setInterval(() => {
    const now = Date.now();
    if (now - before > SLEPT_MS) woke();
    before = now;
  }, 1_000);
}

/** Move everything a little, all day: the same numbers stand in the same place for years. */
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
 * Return where everything stands at a step of the walk, in rem.
 *
 * @param {number} step
 */
export function shiftAt(step) {
  const angle = (2 * Math.PI * step) / STEPS;
  return { x: REACH * Math.sin(angle), y: (REACH / 2) * Math.sin(2 * angle) };
}
