/** Care for a screen that nobody operates: it stays on, and does not burn in. */

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 60_000;
const TURN_MS = 60_000;
// The page moves around its middle in twenty steps of one minute. REACH is in rem: a few millimetres.
const STEPS = 20;
const REACH = 0.25;

/**
 * Keep the screen on while the page is visible. Browsers allow it over HTTPS and on localhost only. They end it when the
 * page is hidden, or by themselves, for example at low battery: the page then asks again, with growing delays.
 */
export function keepScreenOn() {
  let delayMs = FIRST_DELAY_MS;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let next;
  const ask = async () => {
    clearTimeout(next);
    if (document.visibilityState !== "visible") return;
    try {
      const lock = await navigator.wakeLock.request("screen");
      const begun = Date.now();
      lock.addEventListener("release", () => {
        if (Date.now() - begun > LONGEST_DELAY_MS) delayMs = FIRST_DELAY_MS;
        askLater();
      });
    } catch {
      askLater(); // the device refuses, for example at low battery
    }
  };
  const askLater = () => {
    clearTimeout(next);
    next = setTimeout(() => void ask(), delayMs);
    delayMs = Math.min(2 * delayMs, LONGEST_DELAY_MS);
  };
  if (!("wakeLock" in navigator)) return;
  document.addEventListener("visibilitychange", () => {
    delayMs = FIRST_DELAY_MS;
    void ask();
  });
  void ask();
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
