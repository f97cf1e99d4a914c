/** What all charts share: the library uPlot, loaded with the first chart, and the occasions to draw a chart again. */

const VENDOR = "../../vendor/uplot/";

/** @type {Promise<any> | undefined} */
let loading;

/** Load the library with its style, once. Throws if it does not load; the next call tries again. */
export function plottingLibrary() {
  loading ??= load().catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function load() {
  const href = new URL(`${VENDOR}uPlot.min.css`, import.meta.url).href;
  if (![...document.styleSheets].some((each) => each.href === href)) document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href }));
  const { default: uPlot } = await import(new URL(`${VENDOR}uPlot.esm.js`, import.meta.url).href);
  return uPlot;
}

/**
 * Return a function that resolves a custom property of the style to a colour. A canvas knows no `light-dark()`: an element
 * resolves it.
 *
 * @param {Element} parent  in the page; it gets the hidden element
 */
export function inkOf(parent) {
  const probe = document.createElement("span");
  probe.hidden = true;
  parent.append(probe);
  return (/** @type {string} */ name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
}

/**
 * Draw a chart now, and again whenever its width or the theme changes, until the signal aborts.
 *
 * @param {HTMLElement} room  of the chart
 * @param {() => {destroy: () => void}} make
 * @param {AbortSignal} signal
 */
export function keepDrawn(room, make, signal) {
  /** @type {{destroy: () => void} | null} */
  let drawn = null;
  const draw = () => {
    drawn?.destroy();
    drawn = room.isConnected ? make() : null;
  };
  const resized = new ResizeObserver(draw);
  resized.observe(room);
  const themed = new MutationObserver(draw);
  themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw, { signal });
  signal.addEventListener("abort", () => {
    resized.disconnect();
    themed.disconnect();
    drawn?.destroy();
  });
}
