import { queueChip } from "./queue-chip.js";
import { reasonOf } from "./refusal.js";
import { element, find, say } from "../dom.js";
import { has, t } from "../i18n.js";

/**
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("../commands.js").Answer} Answer
 */

/**
 * The dialog that issues a ticket: a form, and then the ticket in large.
 *
 * @param {HTMLDialogElement} dialog
 * @param {(body: Record<string, unknown>) => Promise<Answer>} issue
 * @returns {{open: (desk: Desk) => void}}
 */
export function issueDialog(dialog, issue) {
  const form = /** @type {HTMLFormElement} */ (find("form", dialog));
  const result = find(".issued", dialog);
  const submit = /** @type {HTMLButtonElement} */ (find("[type=submit]", form));
  /** @type {Desk | null} */
  let desk = null;
  let lastQueue = "";

  /** @param {Desk} now */
  function open(now) {
    desk = now;
    form.reset();
    offerQueues(now);
    clearErrors();
    form.hidden = false;
    result.hidden = true;
    if (!dialog.open) dialog.showModal();
    /** @type {HTMLElement | null} */ (form.querySelector("[name=queue_id]:checked"))?.focus();
  }

  /** @param {Desk} now */
  function offerQueues({ queues }) {
    const chosen = queues.find(({ id }) => String(id) === lastQueue) ?? queues[0];
    find("[data-choices]", form).replaceChildren(
      ...queues.map((queue) =>
        element(
          "label",
          { className: "choice" },
          element("input", { type: "radio", name: "queue_id", value: String(queue.id), defaultChecked: queue === chosen }),
          queueChip(queue),
          element("span", {}, queue.name),
        ),
      ),
    );
  }

  function clearErrors() {
    for (const each of form.querySelectorAll(".field-error")) say(each, "");
    for (const each of form.querySelectorAll("[aria-invalid]")) each.removeAttribute("aria-invalid");
  }

  /** Say that a field is wrong, beside it. @param {string} name */
  function showFieldError(name) {
    const input = find(`[name="${name}"]`, form);
    say(find(`[data-error="${name}"]`, form), t(`issue.error.${name}`));
    input.setAttribute("aria-invalid", "true");
    input.focus();
  }

  /** Say what was refused, beside its field where it has one. @param {unknown} error */
  function showError(error) {
    const { details } = /** @type {{details?: {fields?: {field: string}[]}}} */ (error);
    const named = details?.fields?.find(({ field }) => has(`issue.error.${field}`));
    if (named) showFieldError(named.field);
    else say(find(`[data-error="form"]`, form), reasonOf(error));
  }

  /** @param {Answer} answer */
  function showIssued(answer) {
    const label = answer.entry?.label ?? answer.events.findLast((event) => event.label)?.label ?? "";
    const queue = desk?.queues.find(({ id }) => id === answer.entry?.queue_id);
    result.dataset.issued = label;
    say(find(".issued-label", result), label);
    say(find(".issued-queue", result), queue?.name ?? "");
    /** @type {HTMLAnchorElement} */ (find(".issued-link", result)).href = `/t/${answer.token}`;
    form.hidden = true;
    result.hidden = false;
    find("[data-another]", result).focus();
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submit.getAttribute("aria-busy") === "true") return;
    clearErrors();
    const wrong = /** @type {HTMLInputElement | null} */ (form.querySelector("input:invalid"));
    if (wrong) {
      showFieldError(wrong.name);
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
  find("[data-another]", dialog).addEventListener("click", () => desk && open(desk));
  return { open };
}
