/** Which person of the organisation a clinician is: somebody who also works at another site is booked once at a time. */

import { errorMessage } from "../desk/error-messages.js";
import { CommandFailed } from "../shared/commands.js";
import { element, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { dayOf, timeOf } from "../shared/local-time.js";
import { WrongField, formDialog, labelledField } from "./form-dialog.js";

/**
 * @typedef {import("../live/view.js").Cells} Cells
 * @typedef {import("./context.js").Context} Context
 * @typedef {{id: number, name: string, provider_ids: number[]}} Practitioner
 */

const NEW = "new";

/**
 * Return the field of a clinician.
 *
 * @param {Context} context
 * @param {number} id
 */
export function practitionerField(context, id) {
  const select = element("select");
  const box = labelledField(t("admin.practitioner"), select, t("admin.practitioner.hint"));
  const error = element("p", { className: "field-error", role: "alert" });
  const list = element("ul", { className: "affected stranded" });
  box.append(error, list);
  /** @type {Practitioner[] | null} */
  let people = null;
  const known = () => /** @type {number | null | undefined} */ (context.cells.get(`provider:${id}`)?.practitioner);
  const show = () => {
    const chosen = String(known() ?? "");
    const options = [["", t("admin.practitioner.none")], ...(people ?? []).map((each) => [String(each.id), each.name]), [NEW, t("admin.practitioner.new")]];
    select.replaceChildren(...options.map(([value = "", text = ""]) => element("option", { value }, text)));
    select.value = chosen;
  };
  const load = async () => {
    people = (await context.ask("/api/v1/practitioners")).data;
    show();
  };
  const link = async (/** @type {number | null} */ practitioner_id) => {
    const order = (/** @type {number | null} */ person) => ({ command: "link-practitioner", body: { provider_id: id, practitioner_id: person } });
    setText(error, "");
    list.replaceChildren();
    try {
      await context.change({ ...order(practitioner_id), undo: order(known() ?? null) });
    } catch (refusal) {
      setText(error, errorMessage(refusal));
      if (refusal instanceof CommandFailed && refusal.code === "practitioner_busy") {
        list.replaceChildren(...refusal.details.first.map((/** @type {string} */ local) => element("li", {}, `${dayOf(local)}, ${timeOf(local)}`)));
      }
    }
    await load();
  };
  const add = async () => {
    const name = element("input", { required: true, maxLength: 80, autocomplete: "off", value: context.cells.get(`provider:${id}`)?.name ?? "" });
    /** @type {number | null} */
    let added = null;
    await formDialog({
      title: t("admin.practitioner.new.title"),
      lead: t("admin.practitioner.new.lead"),
      parts: [labelledField(t("admin.practitioner.name"), name)],
      yes: t("admin.practitioner.add"),
      submit: async () => {
        if (name.value.trim() === "") throw new WrongField(t("admin.error.name"));
        added = (await context.ask("/api/v1/practitioners", { method: "POST", body: { name: name.value.trim() } })).id;
        return true;
      },
    });
    if (added === null) show();
    else await link(added);
  };
  select.addEventListener("change", () => void (select.value === NEW ? add() : link(select.value === "" ? null : Number(select.value))));
  return {
    element: box,
    update: () => {
      if (people === null) {
        people = [];
        show();
        load().catch((failure) => setText(error, errorMessage(failure)));
      } else if (select.value !== String(known() ?? "")) void load().catch(() => {});
    },
  };
}
