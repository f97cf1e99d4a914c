import { keysDialog } from "../desk/keys-dialog.js";
import { find } from "../shared/dom.js";

/**
 * @typedef {import("./state.js").RoomState} RoomState
 * @typedef {import("./actions.js").RoomActions} RoomActions
 */

/** The actions of this page that have a key. */
const WITH_KEY = new Set(["call-next", "recall", "start", "complete", "no-show", "transfer", "undo", "keys"]);

/**
 * Let every button with a `data-action` do its action.
 *
 * @param {RoomState} state
 * @param {RoomActions} actions
 * @param {import("../desk/keyboard.js").KeySettings} keys
 */
export function connectButtons(state, actions, keys) {
  const keysSheet = keysDialog(/** @type {HTMLDialogElement} */ (find("#keys")), keys, (action) => WITH_KEY.has(action));

  /** @param {string} action */
  function press(action) {
    const { point, guest } = state.room;
    const again = () => press(action);
    const words = { label: guest?.label ?? "", point: point?.name ?? "" };
    switch (action) {
      case "keys":
        keysSheet.open();
        break;
      case "transfer":
        void actions.transferGuest();
        break;
      case "call-next":
      case "open-point":
      case "break-point":
        void actions.run(action, { point_id: state.pointId }, words, again);
        break;
      case "undo": {
        const step = state.undoStep();
        if (step) void actions.run(action, { entry_id: step.entry }, { ...words, label: step.label }, again);
        break;
      }
      default:
        if (guest) void actions.run(action, { entry_id: guest.entry }, words, again);
    }
  }

  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-action]"))) {
    button.addEventListener("click", () => press(button.dataset.action ?? ""));
  }
}
