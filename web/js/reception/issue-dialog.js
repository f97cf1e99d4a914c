import { chooseByDigit } from "../components/choose-by-digit.js";
import { queueChip } from "../components/queue-chip.js";
import { errorMessage } from "../desk/error-messages.js";
import { element, find, setText } from "../shared/dom.js";
import { hasText, t } from "../shared/i18n.js";
import { clearErrors, showError as showFieldError } from "./form-errors.js";
import { offerLanguages } from "./language-options.js";

/**
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("../shared/commands.js").Answer} Answer
 */

// What a ticket can be refused for and given all the same.
const OVERRULED = new Set(["site_closed", "queue_full"]);

/**
 * The dialog that issues a ticket: a form, and then the ticket in large. All but the queue may be left out.
 *
 * @param {HTMLDialogElement} dialog
 * @param {(body: Record<string, unknown>) => Promise<Answer>} issue
 * @param {(entryId: number) => void} print
 * @returns {{open: (desk: Desk) => void}}
 */
export function issueDialog(dialog, issue, print) {
  const form = /** @type {HTMLFormElement} */ (find("form", dialog));
  const result = find(".issued", dialog);
  const submit = /** @type {HTMLButtonElement} */ (find("[type=submit]", form));
  /** @type {Desk | null} */
  let desk = null;
  let lastQueue = "";
  let issued = 0;
  const language = /** @type {HTMLSelectElement} */ (find("[name=language]", form));
  const provider = /** @type {HTMLSelectElement} */ (find("[name=provider_id]", form));
  const overrule = /** @type {HTMLInputElement} */ (find("[name=overrule]", form));

  /** @param {Desk} now */
  function open(now) {
    desk = now;
    form.reset();
    offerQueues(now);
    offerLanguages(language, now.site?.language ?? "en");
    offerProviders(now);
    find("[data-consent]", form).hidden = !now.site?.names_on_display;
    find("[data-overrule]", form).hidden = true;
    clearErrors(form);
    form.hidden = false;
    result.hidden = true;
    if (!dialog.open) dialog.showModal();
    /** @type {HTMLElement | null} */ (form.querySelector("[name=queue_id]:checked"))?.focus();
  }

  /** @param {Desk} now */
  function offerQueues({ queues }) {
    const chosen = queues.find(({ id }) => String(id) === lastQueue) ?? queues[0];
    find("[data-choices]", form).replaceChildren(
      ...queues.map((queue, index) =>
        element(
          "label",
          { className: "choice" },
          element("input", { type: "radio", name: "queue_id", value: String(queue.id), defaultChecked: queue === chosen }),
          queueChip(queue),
          element("span", {}, queue.paused ? t("issue.paused", { queue: queue.name }) : queue.name),
          ...(index < 9 ? [element("kbd", { "aria-hidden": "true" }, String(index + 1))] : []),
        ),
      ),
    );
  }
  chooseByDigit(dialog, (index) => (form.hidden ? null : (/** @type {HTMLInputElement[]} */ ([...form.querySelectorAll("[name=queue_id]")])[index] ?? null)));

  /** @param {Desk} now */
  function offerProviders({ providers }) {
    const anyone = element("option", { value: "" }, t("transfer.anyone"));
    provider.replaceChildren(anyone, ...providers.map(({ id, name }) => element("option", { value: String(id) }, name)));
    find("[data-provider-field]", form).hidden = providers.length === 0;
  }

  /** Say what was refused, beside its field where it has one. @param {unknown} error */
  function showError(error) {
    const { details } = /** @type {{details?: {fields?: {field: string}[]}}} */ (error);
    const named = details?.fields?.find(({ field }) => hasText(`issue.error.${field}`));
    if (named) showFieldError(form, named.field, t(`issue.error.${named.field}`));
    else setText(find(`[data-error="form"]`, form), errorMessage(error));
    // Reception may give a ticket all the same, and then has to say so.
    const { code = "" } = /** @type {{code?: string}} */ (error);
    if (OVERRULED.has(code)) {
      find("[data-overrule]", form).hidden = false;
      overrule.focus();
    }
  }

  /** @param {Answer} answer */
  function showIssued(answer) {
    const label = answer.entry?.label ?? answer.events.findLast((event) => event.label)?.label ?? "";
    const queue = desk?.queues.find(({ id }) => id === answer.entry?.queue_id);
    issued = answer.entry?.id ?? 0;
    result.dataset.issued = label;
    setText(find(".issued-label", result), label);
    setText(find(".issued-queue", result), queue?.name ?? "");
    /** @type {HTMLAnchorElement} */ (find(".issued-link", result)).href = `/t/${answer.token}`;
    form.hidden = true;
    result.hidden = false;
    find("[data-print]", result).focus();
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submit.getAttribute("aria-busy") === "true") return;
    clearErrors(form);
    const wrong = /** @type {HTMLInputElement | null} */ (form.querySelector("input:invalid"));
    if (wrong) {
      showFieldError(form, wrong.name, t(`issue.error.${wrong.name}`));
      return;
    }
    const values = new FormData(form);
    lastQueue = String(values.get("queue_id"));
    /** @type {Record<string, unknown>} */
    const body = { queue_id: Number(lastQueue), priority: values.get("priority") };
    for (const name of ["name", "phone"]) {
      const value = String(values.get(name)).trim();
      if (value) body[name] = value; // the server has no empty names
    }
    body.language = values.get("language");
    body.party_size = Number(values.get("party_size")) || 1;
    body.needs = values.getAll("needs");
    if (values.get("provider_id")) body.provider_id = Number(values.get("provider_id"));
    if (values.has("name_on_display") && body.name) body.name_on_display = true;
    if (values.has("overrule")) body.overrule = true;
    submit.setAttribute("aria-busy", "true");
    try {
      showIssued(await issue(body));
    } catch (error) {
      showError(error);
    } finally {
      submit.removeAttribute("aria-busy");
    }
  });
  for (const each of dialog.querySelectorAll("[data-close]")) each.addEventListener("click", () => dialog.close());
  find("[data-print]", dialog).addEventListener("click", () => print(issued));
  find("[data-another]", dialog).addEventListener("click", () => desk && open(desk));
  return { open };
}
