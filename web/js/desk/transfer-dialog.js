import { chooseByDigit } from "../components/choose-by-digit.js";
import { queueChip } from "../components/queue-chip.js";
import { element, find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { isServed } from "./serving.js";

/**
 * @typedef {{id: number, name: string, prefix: string, position: number}} Queue
 * @typedef {{id: number, name: string}} Provider
 * @typedef {{id: number, label: string, needs: string[] | null}} Transferred
 * @typedef {import("./serving.js").ServingPoint} ServingPoint
 */

/**
 * The dialog that transfers an entry: it asks for the queue, and for the provider if the site has any.
 *
 * @param {HTMLDialogElement} dialog
 * @param {(entryId: number, queue: Queue, providerId: number | null) => void} chosen
 * @returns {{
 *   open: (entry: Transferred, queues: Queue[], providers: Provider[], points: ServingPoint[]) => void,
 *   to: (entry: Transferred, queue: Queue, providers: Provider[], points: ServingPoint[]) => void,
 * }}  `to` transfers to a queue at once, or asks first with the warning, if nobody serves the queue
 */
export function transferDialog(dialog, chosen) {
  const provider = /** @type {HTMLSelectElement} */ (find("[data-provider]", dialog));
  const choices = find("[data-choices]", dialog);
  /** Warns of each queue that nobody serves, for the chosen provider. */
  let warn = () => {};
  provider.addEventListener("change", () => warn());
  find("[data-close]", dialog).addEventListener("click", () => dialog.close());
  chooseByDigit(dialog, (index) => /** @type {HTMLElement | null} */ (choices.children[index] ?? null));

  /** @param {Transferred} entry @param {Queue[]} queues @param {Provider[]} providers @param {ServingPoint[]} points */
  function open(entry, queues, providers, points) {
    setText(find("h2", dialog), t("transfer.title", { label: entry.label }));
    const anyone = element("option", { value: "" }, t("transfer.anyone"));
    provider.replaceChildren(anyone, ...providers.map(({ id, name }) => element("option", { value: String(id) }, name)));
    find("[data-provider-field]", dialog).hidden = providers.length === 0;
    choices.replaceChildren(
      ...queues.map((queue, index) => {
        const button = element(
          "button",
          { type: "button", className: "choice" },
          queueChip(queue),
          element("span", {}, queue.name),
          element("span", { className: "choice-warning" }),
          ...(index < 9 ? [element("kbd", { "aria-hidden": "true" }, String(index + 1))] : []),
        );
        button.dataset.transferTo = String(queue.id);
        button.addEventListener("click", () => {
          dialog.close();
          chosen(entry.id, queue, Number(provider.value) || null);
        });
        return button;
      }),
    );
    warn = () => {
      for (const [index, { id }] of queues.entries()) {
        const served = isServed(points, { queue: id, provider: Number(provider.value) || null, needs: entry.needs ?? [] });
        setText(find(".choice-warning", /** @type {Element} */ (choices.children[index])), served ? "" : t("desk.unserved"));
      }
    };
    warn();
    dialog.showModal();
    /** @type {HTMLElement | null} */ (choices.firstElementChild)?.focus();
  }

  return {
    open,
    to(entry, queue, providers, points) {
      if (isServed(points, { queue: queue.id, provider: null, needs: entry.needs ?? [] })) chosen(entry.id, queue, null);
      else open(entry, [queue], providers, points);
    },
  };
}
