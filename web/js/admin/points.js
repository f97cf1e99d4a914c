/** The section of points (rooms and desks), and of the clinicians who work there. */

import { allOf, byPosition } from "../live/cells.js";
import { t } from "../shared/i18n.js";
import { checksField, textField } from "./fields.js";
import { languagesOf, nameFields, ofRecord } from "./names.js";
import { practitionerField } from "./practitioner-field.js";
import { addForm, recordList, removeRecord } from "./records.js";

/**
 * @typedef {import("../live/cells.js").ConfigurationPoint} Point
 * @typedef {import("../live/cells.js").ConfigurationQueue} Queue
 * @typedef {import("../live/view.js").Cells} Cells
 * @typedef {import("./context.js").Context} Context
 */

const NEEDS = /** @type {const} */ (["fetch_in_person", "interpreter", "step_free", "chaperone"]);

/**
 * @param {HTMLElement} root
 * @param {Context} context
 */
export function open(root, context) {
  root.append(points(context), providers(context));
}

/** @param {Cells} cells @returns {(readonly [number, string])[]} */
const queueChoices = (cells) =>
  /** @type {(Queue & {id: number})[]} */ (allOf(cells, "queue")).sort(byPosition).map(({ id, prefix, name }) => [id, `${prefix} · ${name}`]);

/** @param {Context} context */
function points(context) {
  return recordList(context, {
    kind: "point",
    title: t("admin.points.list"),
    lead: t("admin.points.list.lead"),
    empty: t("admin.points.empty"),
    version: (cells) => languagesOf(cells).slice(1).join(),
    summary: (/** @type {Point} */ point, cells) => ({
      notes: [
        point.queues.map((id) => cells.get(`queue:${id}`)?.name ?? "").filter(Boolean).join(t("admin.list.separator")),
        cells.get(`provider:${point.provider}`)?.name ?? "",
      ],
      warning: point.state === "open" ? "" : t(`admin.point.${point.state}`),
    }),
    parts: (id, cells) => {
      const record = { key: `point:${id}`, command: "change-point", id: { point_id: id } };
      return [
        textField(context, { label: t("admin.point.name"), hint: t("admin.point.name.hint"), ...ofRecord(record, "name") }),
        ...nameFields(context, record, languagesOf(cells).slice(1)),
        checksField(context, {
          label: t("admin.point.queues"),
          choices: queueChoices,
          least: 1,
          ...ofRecord(record, "queues", "queue_ids"),
        }),
        checksField(context, {
          label: t("admin.point.unmet"),
          hint: t("admin.point.unmet.hint"),
          choices: () => NEEDS.map((need) => /** @type {const} */ ([/** @type {string} */ (need), t(`desk.need.${need}`)])),
          ...ofRecord(record, "unmet_needs"),
        }),
      ];
    },
    actions: (id) => [{ text: t("admin.remove"), run: (name) => removeRecord(context, id, name) }],
    form: addForm(context, {
      title: t("admin.point.add"),
      command: "add-point",
      fields: [{ name: "name", label: t("admin.point.name"), error: t("admin.error.name") }],
      // A new point serves every queue; the user then unchecks some.
      body: ({ name }, cells) => {
        const queue_ids = queueChoices(cells).map(([id]) => id);
        if (queue_ids.length > 0) return { name, queue_ids };
        context.say(t("admin.point.no_queue"));
        return null;
      },
    }),
  });
}

/** @param {Context} context */
function providers(context) {
  return recordList(context, {
    kind: "provider",
    title: t("admin.providers.list"),
    lead: t("admin.providers.list.lead"),
    empty: t("admin.providers.empty"),
    summary: (_, cells) => {
      const at = /** @type {(Point & {id: number})[]} */ (allOf(cells, "point")).filter(({ provider }) => provider !== null && cells.get(`provider:${provider}`) === _);
      return { notes: [at.map(({ name }) => name).join(t("admin.list.separator"))] };
    },
    parts: (id) => [
      textField(context, {
        label: t("admin.provider.name"),
        hint: t("admin.provider.name.hint"),
        ...ofRecord({ key: `provider:${id}`, command: "change-provider", id: { provider_id: id } }, "name"),
      }),
      practitionerField(context, id),
    ],
    actions: (id) => [{ text: t("admin.remove"), run: (name) => removeRecord(context, id, name) }],
    form: addForm(context, {
      title: t("admin.provider.add"),
      command: "add-provider",
      fields: [{ name: "name", label: t("admin.provider.name"), error: t("admin.error.name") }],
      body: ({ name }) => ({ name }),
    }),
  });
}
