/** The section of services and queues. */

import { queueChip } from "../components/queue-chip.js";
import { allOf, byPosition } from "../live/cells.js";
import { t } from "../shared/i18n.js";
import { checkField, numberField, recordField, textField } from "./fields.js";
import { languagesOf, nameFields, ofRecord } from "./names.js";
import { addForm, recordList, removeRecord } from "./records.js";

/**
 * @typedef {import("../live/cells.js").ConfigurationQueue} Queue
 * @typedef {import("../live/cells.js").DeskService} Service
 * @typedef {import("../live/view.js").Cells} Cells
 * @typedef {import("./context.js").Context} Context
 */

const LETTERS = Array.from({ length: 26 }, (_, index) => String.fromCharCode(65 + index));

/**
 * @param {HTMLElement} root
 * @param {Context} context
 */
export function open(root, context) {
  root.append(queues(context), services(context));
}

/** The tags of the languages besides the site's own, as one text. @param {Cells} cells */
const further = (cells) => languagesOf(cells).slice(1).join();

/** @param {Context} context */
function queues(context) {
  const form = addForm(context, {
    title: t("admin.queue.add"),
    command: "add-queue",
    fields: [
      { name: "name", label: t("admin.queue.name"), error: t("admin.error.name") },
      {
        name: "prefix",
        label: t("admin.queue.letter"),
        maxLength: 1,
        pattern: "[A-Z]",
        error: t("admin.error.letter"),
        read: (text) => text.trim().toUpperCase(),
      },
    ],
    body: ({ name, prefix }) => ({ name, prefix }),
  });
  // A free letter is the usual choice: two queues with one letter share their numbers.
  const letter = /** @type {HTMLInputElement} */ (form.elements.namedItem("prefix"));
  context.onView((cells) => {
    const used = new Set(/** @type {Queue[]} */ (allOf(cells, "queue")).map(({ prefix }) => prefix));
    letter.placeholder = LETTERS.find((each) => !used.has(each)) ?? "";
  });
  form.addEventListener("submit", () => (letter.value ||= letter.placeholder), { capture: true });
  return recordList(context, {
    kind: "queue",
    title: t("admin.queues.list"),
    lead: t("admin.queues.list.lead"),
    empty: t("admin.queues.empty"),
    version: further,
    summary: (/** @type {Queue} */ queue, cells) => ({
      mark: queueChip(queue),
      notes: [
        t("admin.queue.waiting", { n: queue.waiting }),
        cells.get(`service:${queue.service}`)?.public_name ?? "",
        queue.capacity === null ? "" : t("admin.queue.up_to", { n: queue.capacity }),
      ],
      warning: queue.paused ? t("admin.queue.paused") : "",
    }),
    parts: (id, cells) => {
      const record = { key: `queue:${id}`, command: "change-queue", id: { queue_id: id } };
      return [
        textField(context, { label: t("admin.queue.name"), ...ofRecord(record, "name") }),
        ...nameFields(context, record, languagesOf(cells).slice(1)),
        recordField(context, {
          label: t("admin.queue.service"),
          choices: serviceChoices,
          ...(cells.get(`queue:${id}`)?.service === null ? { none: t("admin.queue.service.none") } : {}),
          read: (now) => now.get(`queue:${id}`)?.service,
          save: (service_id, before) => ({
            command: "change-queue",
            body: { queue_id: id, service_id },
            undo: before === null ? null : { command: "change-queue", body: { queue_id: id, service_id: before } },
          }),
        }),
        numberField(context, {
          label: t("admin.queue.capacity"),
          hint: t("admin.queue.capacity.hint"),
          max: 10_000,
          read: (now) => {
            const queue = now.get(`queue:${id}`);
            return queue === undefined ? undefined : (queue.capacity ?? 0);
          },
          save: (capacity, before) => ({
            command: "change-queue",
            body: { queue_id: id, capacity },
            undo: { command: "change-queue", body: { queue_id: id, capacity: before } },
          }),
        }),
        checkField(context, { label: t("admin.queue.joins_anew"), hint: t("admin.queue.joins_anew.hint"), ...ofRecord(record, "joins_anew") }),
      ];
    },
    actions: (id) => [
      { text: t("admin.queue.pause"), run: () => setPaused(context, id, true), when: (cells) => cells.get(`queue:${id}`)?.paused === false },
      { text: t("admin.queue.open"), run: () => setPaused(context, id, false), when: (cells) => cells.get(`queue:${id}`)?.paused === true },
      { text: t("admin.remove"), run: (name) => removeRecord(context, id, name) },
    ],
    form,
  });
}

/**
 * @param {Context} context
 * @param {number} id
 * @param {boolean} paused
 */
async function setPaused(context, id, paused) {
  const order = (/** @type {boolean} */ pause) => ({ command: pause ? "pause-queue" : "open-queue", body: { queue_id: id } });
  try {
    await context.change({ ...order(paused), undo: order(!paused), said: t(paused ? "admin.queue.paused" : "admin.queue.opened") });
  } catch (error) {
    context.complain(error);
  }
}

/** @param {Cells} cells @returns {[number, string][]} */
const serviceChoices = (cells) =>
  /** @type {(Service & {id: number})[]} */ (allOf(cells, "service")).sort(byPosition).map(({ id, public_name: name }) => [id, name]);

/** @param {Context} context */
function services(context) {
  return recordList(context, {
    kind: "service",
    title: t("admin.services.list"),
    lead: t("admin.services.list.lead"),
    empty: t("admin.services.empty"),
    version: further,
    summary: (/** @type {Service} */ service, cells) => {
      const used = /** @type {(Queue & {id: number})[]} */ (allOf(cells, "queue")).filter((queue) => cells.get(`service:${queue.service}`) === service);
      return { notes: [service.name === service.public_name ? "" : (service.name ?? ""), t("admin.service.queues", { n: used.length })] };
    },
    parts: (id, cells) => {
      const record = { key: `service:${id}`, command: "change-service", id: { service_id: id } };
      return [
        textField(context, { label: t("admin.service.public_name"), hint: t("admin.service.public_name.hint"), ...ofRecord(record, "public_name") }),
        textField(context, { label: t("admin.service.name"), hint: t("admin.service.name.hint"), ...ofRecord(record, "name") }),
        ...nameFields(context, record, languagesOf(cells).slice(1)),
      ];
    },
    actions: (id) => [{ text: t("admin.remove"), run: (name) => removeRecord(context, id, name) }],
    form: addForm(context, {
      title: t("admin.service.add"),
      command: "add-service",
      fields: [
        { name: "public_name", label: t("admin.service.public_name"), error: t("admin.error.name") },
        { name: "name", label: t("admin.service.name"), error: t("admin.error.name") },
      ],
      body: ({ name, public_name }) => ({ name, public_name }),
    }),
  });
}

