/**
 * Touches of a public screen. A finger may drift, and tremble; everything but a plain touch does nothing: a swipe, a long
 * press, two fingers, a selection, a menu.
 */

export const DRIFT_PX = 32;
export const LONG_MS = 1_500;

/**
 * Decides which touches count: pure, without a page.
 *
 * @template T
 */
export class Touches {
  /** @type {{pointer: number, x: number, y: number, at: number, target: T | null} | null} */
  #begun = null;
  /** The pointers that are down. @type {Set<number>} */
  #down = new Set();

  /**
   * A finger comes down. With a second finger, neither counts.
   *
   * @param {{pointer: number, x: number, y: number, at: number, target: T | null}} touch  `at` in milliseconds
   */
  down(touch) {
    this.#down.add(touch.pointer);
    this.#begun = this.#down.size === 1 ? touch : null;
  }

  /** A finger moves. @param {{pointer: number, x: number, y: number}} to */
  move({ pointer, x, y }) {
    const begun = this.#begun;
    if (begun?.pointer === pointer && Math.hypot(x - begun.x, y - begun.y) > DRIFT_PX) this.#begun = null;
  }

  /**
   * A finger leaves the screen. Returns the target where it came down if the touch counts, or null.
   *
   * @param {{pointer: number, x: number, y: number, at: number}} to
   * @returns {T | null}
   */
  up({ pointer, x, y, at }) {
    this.move({ pointer, x, y });
    this.#down.delete(pointer);
    const begun = this.#begun;
    if (begun?.pointer !== pointer) return null;
    this.#begun = null;
    return at - begun.at < LONG_MS ? begun.target : null;
  }

  /** The browser takes a finger away. @param {number} pointer */
  cancel(pointer) {
    this.#down.delete(pointer);
    if (this.#begun?.pointer === pointer) this.#begun = null;
  }
}

const BUTTONS = "button, select, input, a[href]";
const NOTHING = ["contextmenu", "dragstart", "selectstart", "gesturestart", "dblclick"];

/**
 * Let the buttons of the page act on touches, on keys and on the clicks of assistive technology.
 *
 * @param {Document} page
 * @param {{act: (button: HTMLElement) => void, sign: () => void}} does  `sign`: a person is here
 */
export function followTouches(page, { act, sign }) {
  /** @type {Touches<HTMLElement>} */
  const touches = new Touches();
  /** @param {PointerEvent} event */
  const place = ({ pointerId, clientX, clientY, timeStamp }) => ({ pointer: pointerId, x: clientX, y: clientY, at: timeStamp });
  page.addEventListener("pointerdown", (event) => {
    sign();
    const target = event.target instanceof Element ? /** @type {HTMLElement | null} */ (event.target.closest("[data-do]")) : null;
    if (event.button === 0) touches.down({ ...place(event), target });
  });
  page.addEventListener("pointermove", (event) => touches.move(place(event)));
  page.addEventListener("pointercancel", ({ pointerId }) => touches.cancel(pointerId));
  page.addEventListener("pointerup", (event) => {
    const target = touches.up(place(event));
    if (target !== null && isUsable(target)) act(target);
  });
  // A click of a finger or a mouse follows its `pointerup`, which has acted. A key and a screen reader only click.
  page.addEventListener("click", (event) => {
    if (event.detail !== 0 || !(event.target instanceof Element)) return;
    const target = /** @type {HTMLElement | null} */ (event.target.closest("[data-do]"));
    if (target === null || !isUsable(target)) return;
    sign();
    act(target);
  });
  page.addEventListener("keydown", ({ key }) => key === "Tab" || sign()); // with Tab a person reaches the warning's button
  for (const type of NOTHING) {
    page.addEventListener(type, (event) => {
      if (!(event.target instanceof Element && event.target.closest("select, input"))) event.preventDefault();
    });
  }
  page.addEventListener("wheel", (event) => event.ctrlKey && event.preventDefault(), { passive: false });
  // The second finger of a pinch: browsers zoom although the style forbids it, where users force zooming.
  page.addEventListener("touchmove", (event) => event.touches.length > 1 && event.preventDefault(), { passive: false });
}

/** @param {HTMLElement} button */
const isUsable = (button) =>
  button.isConnected && button.matches(BUTTONS) && !button.matches(":disabled, [aria-disabled=true]") && button.checkVisibility() && button.closest("[inert]") === null;
