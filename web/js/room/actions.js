import { errorMessage } from "../desk/error-messages.js";
import { keysDialog } from "../desk/keys-dialog.js";
import { transferDialog } from "../desk/transfer-dialog.js";
import { find, setText } from "../shared/dom.js";
import { nameIn, named, t } from "../shared/i18n.js";
import { LatestRequest } from "../shared/latest-request.js";

/**
 * @typedef {import("./state.js").RoomState} RoomState
 * @typedef {{id: number, name: string}} Named
 */

/** The actions of this page that have a key. */
const WITH_KEY = new Set(["call-next", "recall", "start", "complete", "no-show", "transfer", "undo", "keys"]);

/** The actions of a room's buttons. The page's message shows how each action went. */
export class RoomActions {
  #state;
  #describe = new LatestRequest();
  #transferDialog;

  /** @param {RoomState} state */
  constructor(state) {
    this.#state = state;
    const dialog = /** @type {HTMLDialogElement} */ (find("#transfer"));
    this.#transferDialog = transferDialog(dialog, (entryId, queue, providerId) => {
      const body = { entry_id: entryId, queue_id: queue.id, ...(providerId === null ? {} : { provider_id: providerId }) };
      void this.run("transfer", body, { label: state.room.guest?.label ?? "", queue: queue.name });
    });
  }

  /**
   * Send a command and show how it went.
   *
   * @param {string} name
   * @param {Record<string, unknown>} body
   * @param {Record<string, string>} words  to fill into the message
   * @param {() => void} [again]            presses the button again, when a command in progress has ended
   */
  async run(name, body, words, again = () => {}) {
    try {
      const answer = await this.#state.orders.act(name, body, again);
      if (answer === null) return;
      showMessage(t(`done.${name}`, { ...words, label: answer.entry?.label ?? words.label ?? "" }), "done");
    } catch (error) {
      showMessage(errorMessage(error, words), "error");
    }
    this.#state.changed();
  }

  /** Ask where to transfer the guest. The site's queues come from the API: the room's view has only its own. */
  async transferGuest() {
    const { guest } = this.#state.room;
    if (guest === null) return;
    try {
      const described = await this.#describe.get(`/api/v1/sites/${this.#state.site.id}`);
      if (described === null) return;
      const queues = described.queues.map((/** @type {any} */ queue, /** @type {number} */ position) => ({ ...queue, position }));
      const others = queues.filter((/** @type {Named} */ { name }) => name !== guest.queue);
      const points = described.points.map((/** @type {any} */ point) => ({ ...point, queues: point.queue_ids, provider: point.provider_id }));
      this.#transferDialog.open({ id: guest.entry, label: guest.label, needs: guest.needs }, others.map(named), described.providers, points);
    } catch {
      showMessage(t("error.unreachable"), "error");
    }
  }
}

/** @param {string} text @param {"done" | "error"} kind */
function showMessage(text, kind) {
  const message = find("[data-message]");
  message.dataset.kind = kind;
  setText(message, text);
}

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
    const words = { label: guest?.label ?? "", point: nameIn(point?.name ?? "", point?.names) };
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
