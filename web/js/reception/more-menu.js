/**
 * The button that opens the menu of the less frequent actions. Their keys work while the menu is closed, too.
 *
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} menu
 */
export function moreMenu(button, menu) {
  /** @param {boolean} shown */
  function show(shown) {
    menu.hidden = !shown;
    button.setAttribute("aria-expanded", String(shown));
  }
  const items = () => /** @type {HTMLButtonElement[]} */ ([...menu.querySelectorAll("button:not(:disabled, [hidden])")]);

  // Close the menu before the action: a dialog returns the focus to the element that had it.
  menu.addEventListener(
    "click",
    () => {
      show(false);
      button.focus();
    },
    { capture: true },
  );
  document.addEventListener("pointerdown", ({ target }) => {
    if (target instanceof Node && !menu.contains(target) && !button.contains(target)) show(false);
  });
  menu.addEventListener("focusout", ({ relatedTarget: to }) => {
    if (to instanceof Node && !menu.contains(to) && to !== button) show(false);
  });
  menu.addEventListener("keydown", (event) => {
    const all = items();
    const at = all.findIndex((each) => each === event.target);
    if (event.key === "Escape") {
      show(false);
      button.focus();
    } else if (event.key === "ArrowDown") all[(at + 1) % all.length]?.focus();
    else if (event.key === "ArrowUp") all.at(at - 1)?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  button.addEventListener("click", ({ detail: byPointer }) => {
    show(menu.hidden);
    if (!menu.hidden && !byPointer) items()[0]?.focus();
  });
}
