/**
 * The keys of the player: the arrows step, the space bar plays, and Shift with an arrow changes the speed. None is a letter,
 * and none acts in a field or on a control that has the key itself.
 */

const OWN_KEYS = "input:not([type='checkbox']), select, textarea, button, a, summary, [contenteditable], [role='region']";

/**
 * @param {{back: () => void, forward: () => void, play: () => void, speed: (steps: number) => void}} acts
 */
export function pressByKeys({ back, forward, play, speed }) {
  addEventListener("keydown", (event) => {
    const { key, target, shiftKey } = event;
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || !(target instanceof Element)) return;
    const arrow = key === "ArrowLeft" || key === "ArrowRight";
    const onButton = target.matches("button, a, summary, input[type='checkbox']");
    if (arrow ? target.matches(OWN_KEYS) && !onButton : key !== " " || target.matches(OWN_KEYS) || onButton) return;
    event.preventDefault();
    if (key === " ") {
      play();
      return;
    }
    const later = (key === "ArrowRight") === (document.documentElement.dir !== "rtl");
    if (shiftKey) speed(later ? 1 : -1);
    else if (later) forward();
    else back();
  });
}
