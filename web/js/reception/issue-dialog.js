import { chooseByDigit } from "../components/choose-by-digit.js";
import { queueChip } from "../components/queue-chip.js";
import { isServed } from "../desk/serving.js";
import { element, find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { clearErrors, phoneIn, showInvalid, showRefusal } from "../desk/form-errors.js";
import { offerLanguages } from "../desk/language-options.js";

/**
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("../shared/commands.js").Answer} Answer
 */

/**
 * The dialog that issues a ticket: a form, and then the ticket in large. Only the queue is required.
 *
 * @param {HTMLDialogElement} dialog
 * @param {(body: Record<string, unknown>) => Promise<Answer>} issue
 * @param {(entryId: number) => void} print
 * @param {(appointmentId: number) => void} checkIn  called for a patient who has an appointment instead
 * @returns {{open: (desk: Desk) => void}}
 */
export function issueDialog(dialog, issue, print, checkIn) {
  const form = /** @type {HTMLFormElement} */ (find("form", dialog));
  const submit = /** @type {HTMLButtonElement} */ (find("[type=submit]", form));
  /** @type {Desk | null} */
  let desk = null;
  let lastQueue = "";
  let issuedId = 0;
  let appointmentId = 0;
  const instead = find("[data-check-in]", form);

  /** @param {Desk} now */
  function open(now) {
    desk = now;
    resetForm(form, now, lastQueue);
    warnOfUnserved(form, now);
    form.hidden = false;
    find(".issued", dialog).hidden = true;
    if (!dialog.open) dialog.showModal();
    /** @type {HTMLElement | null} */ (form.querySelector("[name=queue_id]:checked"))?.focus();
  }

  async function send() {
    const body = bodyOf(form);
    lastQueue = String(body.queue_id);
    submit.setAttribute("aria-busy", "true");
    try {
      const answer = await issue(body);
      issuedId = answer.entry?.id ?? 0;
      form.hidden = true;
      showIssued(find(".issued", dialog), answer, desk);
    } catch (error) {
      showRefusal(form, error);
      const { code = "", details = {} } = /** @type {{code?: string, details?: {appointment_id?: number}}} */ (error);
      instead.hidden = code !== "has_appointment";
      appointmentId = details.appointment_id ?? 0;
      if (!instead.hidden) instead.focus();
    } finally {
      submit.removeAttribute("aria-busy");
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (submit.getAttribute("aria-busy") === "true") return;
    clearErrors(form);
    if (!showInvalid(form)) void send();
  });
  form.addEventListener("change", () => desk && warnOfUnserved(form, desk));
  chooseByDigit(dialog, (index) => (form.hidden ? null : (queueInputs(form)[index] ?? null)));
  for (const each of dialog.querySelectorAll("[data-close]")) each.addEventListener("click", () => dialog.close());
  instead.addEventListener("click", () => {
    dialog.close();
    checkIn(appointmentId);
  });
  find("[data-print]", dialog).addEventListener("click", () => print(issuedId));
  find("[data-another]", dialog).addEventListener("click", () => desk && open(desk));
  return { open };
}

/**
 * @param {HTMLFormElement} form
 * @param {Desk} desk
 * @param {string} lastQueue  the id of the queue of the last ticket, which is chosen again
 */
function resetForm(form, { queues, providers, site }, lastQueue) {
  form.reset();
  const chosen = queues.find(({ id }) => String(id) === lastQueue) ?? queues[0];
  find("[data-choices]", form).replaceChildren(...queues.map((queue, index) => makeChoice(queue, index, queue === chosen)));
  offerLanguages(/** @type {HTMLSelectElement} */ (find("[name=language]", form)), site?.language ?? "en");
  const anyone = element("option", { value: "" }, t("transfer.anyone"));
  const options = providers.map(({ id, name }) => element("option", { value: String(id) }, name));
  find("[name=provider_id]", form).replaceChildren(anyone, ...options);
  find("[data-provider-field]", form).hidden = providers.length === 0;
  find("[data-consent]", form).hidden = !site?.names_on_display;
  for (const each of ["[data-overrule]", "[data-second-ticket]", "[data-check-in]"]) find(each, form).hidden = true;
  clearErrors(form);
}

/**
 * Warn before the ticket is issued if nobody would call it: for the chosen queue, provider and needs.
 *
 * @param {HTMLFormElement} form
 * @param {Desk} desk
 */
function warnOfUnserved(form, { points }) {
  const values = new FormData(form);
  const patient = {
    queue: Number(values.get("queue_id")),
    provider: Number(values.get("provider_id")) || null,
    needs: /** @type {string[]} */ (values.getAll("needs")),
  };
  setText(find("[data-unserved]", form), isServed(points, patient) ? "" : t("desk.unserved"));
}

/**
 * @param {import("./desk.js").Queue} queue
 * @param {number} index  the first nine queues have a digit
 * @param {boolean} chosen
 */
function makeChoice(queue, index, chosen) {
  return element(
    "label",
    { className: "choice" },
    element("input", { type: "radio", name: "queue_id", value: String(queue.id), defaultChecked: chosen }),
    queueChip(queue),
    element("span", {}, queue.paused ? t("issue.paused", { queue: queue.name }) : queue.name),
    ...(index < 9 ? [element("kbd", { "aria-hidden": "true" }, String(index + 1))] : []),
  );
}

/** @param {HTMLFormElement} form */
const queueInputs = (form) => /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll("[name=queue_id]")]);

/**
 * Return the body of the command. An empty field is left out.
 *
 * @param {HTMLFormElement} form
 */
function bodyOf(form) {
  const values = new FormData(form);
  /** @type {Record<string, unknown>} */
  const body = { queue_id: Number(values.get("queue_id") ?? NaN), priority: values.get("priority") };
  for (const name of ["name", "phone", "date_of_birth"]) {
    const value = name === "phone" ? phoneIn(String(values.get(name))) : String(values.get(name)).trim();
    if (value) body[name] = value;
  }
  body.language = values.get("language");
  body.party_size = Number(values.get("party_size")) || 1;
  body.needs = values.getAll("needs");
  if (values.get("provider_id")) body.provider_id = Number(values.get("provider_id"));
  if (values.has("name_on_display") && body.name) body.name_on_display = true;
  for (const name of ["overrule", "second_ticket"]) if (values.has(name)) body[name] = true;
  return body;
}

/**
 * Show the ticket that was issued.
 *
 * @param {HTMLElement} result
 * @param {Answer} answer
 * @param {Desk | null} desk
 */
function showIssued(result, answer, desk) {
  const label = answer.entry?.label ?? answer.events.findLast((event) => event.label)?.label ?? "";
  const queue = desk?.queues.find(({ id }) => id === answer.entry?.queue_id);
  result.dataset.issued = label;
  setText(find(".issued-label", result), label);
  setText(find(".issued-queue", result), queue?.name ?? "");
  /** @type {HTMLAnchorElement} */ (find(".issued-link", result)).href = answer.address ?? "";
  result.hidden = false;
  find("[data-print]", result).focus();
}
