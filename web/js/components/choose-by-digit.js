/**
 * Let the digits 1 to 9 choose in a dialog of choices.
 *
 * @param {HTMLDialogElement} dialog
 * @param {(index: number) => HTMLElement | null} choiceAt  returns a choice, or null if there are fewer
 */
export function chooseByDigit(dialog, choiceAt) {
  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !/^[1-9]$/.test(event.key)) return;
    if (event.target instanceof Element && event.target.closest("input:not([type=radio]):not([type=checkbox]), select, textarea")) return;
    const choice = choiceAt(Number(event.key) - 1);
    if (choice === null) return;
    event.preventDefault();
    choice.click();
    if (choice instanceof HTMLInputElement) choice.focus();
  });
}
