import { errorMessage } from "../desk/error-messages.js";
import { withMarkup } from "../desk/lazy-dialog.js";
import { find, loadStyle, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { LatestRequest } from "../shared/latest-request.js";

/** The file of `web/markup` with the dialogs and the slip. */
export const MARKUP = "reception-dialogs";

/** The actions of the reception page's buttons and dialogs. The page's message shows how each action went. */
export class DeskActions {
  #state;
  #slips = new LatestRequest();

  /** @param {import("./state.js").DeskState} state */
  constructor(state) {
    this.#state = state;
  }

  /**
   * Send a command and show how it went.
   *
   * @param {string} name
   * @param {Record<string, unknown>} body
   * @param {Record<string, string>} words  to fill into the message; `done` chooses another text
   *   than the command's usual one
   * @param {() => void} [again]            presses the button again, when a command in progress has ended
   */
  async run(name, body, words, again = () => {}) {
    try {
      const answer = await this.#state.orders.act(name, body, again);
      if (answer === null) return;
      const label = answer.entry?.label ?? words.label ?? "";
      showMessage(t(`done.${words.done ?? name}`, { ...words, label }), "done");
      if (name === "call-next" || name === "call") this.#goToGuest();
    } catch (error) {
      showMessage(errorMessage(error, words), "error");
    }
    this.#state.changed();
  }

  /**
   * Take back a step.
   *
   * @param {import("../desk/orders.js").Step} step
   * @param {() => void} again  as for `run`
   */
  async takeBack(step, again) {
    try {
      if ((await this.#state.orders.takeBack(step, again)) !== null) showMessage(t("done.undo", { label: step.label }), "done");
    } catch (error) {
      showMessage(errorMessage(error, { label: step.label }), "error");
    }
    this.#state.changed();
  }

  /**
   * Transfer an entry to another queue.
   *
   * @param {number} entryId
   * @param {{id: number, name: string}} queue
   * @param {number | null} providerId  null: any provider
   */
  transfer(entryId, queue, providerId) {
    const entry = this.#state.desk.entries.get(entryId);
    if (entry === undefined) showMessage(t("error.gone"), "error");
    else {
      const body = { entry_id: entry.id, queue_id: queue.id, ...(providerId === null ? {} : { provider_id: providerId }) };
      void this.run("transfer", body, { label: entry.label, queue: queue.name });
    }
  }

  /** Load the slip and the module that prints it. Throws what `import` throws. */
  async loadSlip() {
    const [module] = await Promise.all([withMarkup(MARKUP, import("../components/print-slip.js")), loadStyle("slip", "print")]);
    return module;
  }

  /**
   * Print the slip of an entry's ticket.
   *
   * @param {number} entryId
   */
  async print(entryId) {
    try {
      const slip = await this.#slips.get(`/api/v1/entries/${entryId}/slip`);
      const { printSlip } = await this.loadSlip();
      if (slip !== null) await printSlip(find(".slip"), slip, this.#state.connection.now());
    } catch {
      showMessage(t("error.slip"), "error");
    }
  }

  /** Drop the selection after a call: the next actions are for the patient who was called to the user's point. */
  #goToGuest() {
    const focused = document.activeElement;
    if (focused instanceof HTMLElement && find("[data-columns]").contains(focused)) focused.blur();
    this.#state.selectedId = this.#state.appointmentId = null;
  }
}

/**
 * Show how the last action went, until the next message.
 *
 * @param {string} text
 * @param {"done" | "error"} kind
 */
export function showMessage(text, kind) {
  const message = find("[data-message]");
  message.dataset.kind = kind;
  setText(message, text);
}
