import { queueChip } from "./queue-chip.js";
import { element, find, say } from "../dom.js";
import { t } from "../i18n.js";

/** @typedef {import("./desk.js").Queue} Queue */

/**
 * The dialog that asks into which queue to send an entry on.
 *
 * @param {HTMLDialogElement} dialog
 * @param {(queue: Queue) => void} chosen
 * @returns {{open: (label: string, queues: Queue[]) => void}}
 */
export function transferDialog(dialog, chosen) {
  find("[data-close]", dialog).addEventListener("click", () => dialog.close());
  return {
    open(label, queues) {
      say(find("h2", dialog), t("transfer.title", { label }));
      find("[data-choices]", dialog).replaceChildren(
        ...queues.map((queue) => {
          const button = element("button", { type: "button", className: "choice" }, queueChip(queue), element("span", {}, queue.name));
          button.dataset.transferTo = String(queue.id);
          button.addEventListener("click", () => {
            dialog.close();
            chosen(queue);
          });
          return button;
        }),
      );
      dialog.showModal();
    },
  };
}
