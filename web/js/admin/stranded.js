/**
 * Changes of hours that would leave booked appointments outside of them. The page lists the appointments and asks what
 * happens to them: they stay, they are cancelled, or they go to another clinician first.
 */

import { errorMessage } from "../desk/error-messages.js";
import { ReachLine, showPhoneList } from "../desk/reach.js";
import { allOf, byPosition } from "../live/cells.js";
import { CommandFailed, previewCommand } from "../shared/commands.js";
import { element, loadStyle, setText } from "../shared/dom.js";
import { loadPart, t } from "../shared/i18n.js";
import { dayOf, timeOf } from "../shared/local-time.js";
import { choice, formDialog, labelledField } from "./form-dialog.js";
import { today } from "./site-date.js";

/**
 * @typedef {import("./context.js").Change} Change
 * @typedef {import("./context.js").Context} Context
 * @typedef {{stranded?: "keep" | "cancel"}} Wish  what the user has answered
 * @typedef {{count: number, first: {id: number, local_start: string}[]}} Stranded
 */

/**
 * Make a change as `context.change`. If it would strand appointments, ask what happens to them. Cancelled appointments do
 * not come back, so that change has no undo. Returns the answer, or null if the user did not go on.
 *
 * @param {Context} context
 * @param {Change} change
 * @param {number | null} [provider]  the clinician whose appointments they are, if it is one
 * @param {Wish} [wish]  holds for this change, and gets the answer of the user
 */
export async function changeHours(context, change, provider = null, wish = {}) {
  const reach = new ReachLine(context.site.id);
  let looking = Promise.resolve();
  const lookAtCancelled = async () => {
    const { events } = await context.watched(previewCommand(change.command, { ...change.body, stranded: "cancel" }));
    reach.look(changedIn(events));
  };
  for (;;) {
    const body = { ...change.body, ...wish };
    try {
      const cancels = wish.stranded === "cancel";
      if (cancels) await looking; // afterwards nobody is stranded any more
      const done = await context.change({ ...change, body, confirmed: cancels, undo: cancels ? null : (change.undo ?? null) });
      if (cancels && done !== null) void reach.untold.then(showPhoneList);
      return done;
    } catch (error) {
      if (!strands(error)) throw error;
      await Promise.all([loadPart("reach"), loadStyle("reach")]);
      const answer = await askStranded(/** @type {Stranded} */ (error.details), provider !== null, reach, () => (looking = lookAtCancelled().catch(() => reach.clear())));
      if (answer === null) return null;
      if (answer === "move") await moveList(context, { provider, date: error.details.first[0].local_start.slice(0, 10) });
      else wish.stranded = answer;
    }
  }
}

/** @param {unknown} error @returns {error is CommandFailed} */
const strands = (error) => error instanceof CommandFailed && error.code === "in_use" && Array.isArray(error.details.first);

/**
 * List stranded appointments, and ask what happens to them. null: nothing, and the change is not made.
 *
 * @param {Stranded} stranded
 * @param {boolean} movable
 * @param {ReachLine} reach
 * @param {() => Promise<void>} lookAtCancelled  shows in `reach` who a cancellation reaches
 * @returns {Promise<"keep" | "cancel" | "move" | null>}
 */
async function askStranded({ count, first }, movable, reach, lookAtCancelled) {
  const more = count - first.length;
  const rows = first.map(({ local_start: local }) =>
    element(
      "li",
      {},
      element("a", { href: `/calendar?date=${local.slice(0, 10)}`, target: "_blank", rel: "noopener" }, `${dayOf(local)}, ${timeOf(local)}`),
    ),
  );
  if (more > 0) rows.push(element("li", {}, t("admin.stranded.more", { n: more })));
  const options = /** @type {const} */ (["keep", "move", "cancel"]).filter((each) => each !== "move" || movable);
  const inputs = options.map((each, index) => {
    const input = element("input", { type: "radio", name: "stranded", value: each, checked: index === 0 });
    const text = element("span", {}, element("strong", {}, t(`admin.stranded.${each}`)), element("span", {}, t(`admin.stranded.${each}.hint`)));
    return { input, row: element("label", { className: "choice is-tall" }, input, text) };
  });
  for (const { input } of inputs) {
    input.addEventListener("change", () => {
      reach.clear();
      if (input.value === "cancel") void lookAtCancelled();
    });
  }
  const list = element("ul", { className: "affected stranded" }, ...rows);
  const question = element(
    "fieldset",
    { className: "choices field" },
    element("legend", {}, t("admin.stranded.question")),
    element("div", { className: "choice-list is-column" }, ...inputs.map(({ row }) => row)),
  );
  const done = await formDialog({
    title: t("admin.stranded.title", { n: count }),
    lead: t("admin.stranded.lead"),
    parts: [list, question, reach.element],
    yes: t("admin.stranded.yes"),
    submit: async () => true,
  });
  return done ? /** @type {"keep" | "cancel" | "move"} */ (inputs.find(({ input }) => input.checked)?.input.value) : null;
}

/**
 * Move the appointments of a clinician on a day to others. The dialog shows each move before it is made.
 *
 * @param {Context} context
 * @param {{provider?: number | null, date: string}} about
 */
export async function moveList(context, { provider = null, date }) {
  await Promise.all([loadPart("reach"), loadStyle("reach")]);
  const reach = new ReachLine(context.site.id);
  const providers = /** @type {{id: number, name: string, position: number}[]} */ (allOf(context.cells, "provider")).sort(byPosition);
  const names = providers.map(({ id, name }) => /** @type {const} */ ([id, name]));
  const nameOf = (/** @type {number} */ id) => context.cells.get(`provider:${id}`)?.name ?? "";
  const who = choice(names, provider ?? providers[0]?.id ?? "");
  const day = element("input", { type: "date", required: true, value: date, min: today(context) });
  const from = element("input", { type: "time", value: "00:00", required: true });
  const until = element("input", { type: "time", value: "23:59", required: true });
  const to = choice([["", t("admin.move_list.any")], ...names], "");
  const reason = element("input", { required: true, minLength: 3, maxLength: 200, value: t("admin.move_list.reason.usual"), autocomplete: "off" });
  const unplaced = choice(
    /** @type {const} */ (["refuse", "keep", "cancel"]).map((each) => [each, t(`admin.move_list.unplaced.${each}`)]),
    "refuse",
  );
  const found = element("div", { className: "move-preview", role: "status" });
  const order = () => ({
    command: "move-appointments",
    body: {
      provider_id: Number(who.value),
      date: day.value,
      from: from.value,
      until: until.value === "23:59" ? "24:00" : until.value,
      reason: reason.value.trim(),
      unplaced: unplaced.value,
      ...(to.value === "" ? {} : { to_provider_id: Number(to.value) }),
    },
  });
  let asked = 0;
  const look = async () => {
    const mine = (asked += 1);
    reach.clear();
    if (!day.value || !from.value || !until.value || reason.value.trim().length < 3) return found.replaceChildren();
    try {
      const { command, body } = order();
      const { events } = await context.watched(previewCommand(command, body));
      if (mine !== asked) return undefined;
      found.replaceChildren(previewOf(events, nameOf));
      reach.look(changedIn(events));
    } catch (error) {
      if (mine === asked) found.replaceChildren(element("p", { className: "field-note" }, errorMessage(error)));
    }
    return undefined;
  };
  for (const input of [who, day, from, until, to, reason, unplaced]) input.addEventListener("change", () => void look());
  void look();
  /** @type {import("../desk/reach.js").ToPhone[]} */
  let untold = [];
  const done = await formDialog({
    title: t("admin.move_list.title"),
    lead: t("admin.move_list.lead"),
    wide: true,
    parts: [
      element("div", { className: "field-pair" }, labelledField(t("admin.move_list.who"), who), labelledField(t("admin.move_list.to"), to)),
      element(
        "div",
        { className: "field-trio" },
        labelledField(t("admin.move_list.day"), day),
        labelledField(t("admin.hours.from"), from),
        labelledField(t("admin.hours.until"), until),
      ),
      labelledField(t("admin.move_list.reason"), reason, t("admin.move_list.reason.hint")),
      labelledField(t("admin.move_list.unplaced"), unplaced),
      found,
      reach.element,
    ],
    yes: t("admin.move_list.yes"),
    submit: async () => {
      const answer = await context.change({ ...order(), confirmed: true, said: t("admin.move_list.done") });
      if (answer === null) return false;
      const changed = new Set(Object.values(changedIn(answer.events)).flat());
      untold = (await reach.untold).filter(({ appointment_id: id }) => changed.has(id));
      return true;
    },
  });
  showPhoneList(untold);
  return done;
}

/**
 * Return the appointments that events move or cancel.
 *
 * @param {any[]} events
 * @returns {{moved: number[], cancelled: number[]}}
 */
function changedIn(events) {
  const idsOf = (/** @type {string} */ wanted) => events.flatMap(({ type, appointment }) => (type === wanted ? [Number(appointment.id)] : []));
  return { moved: idsOf("appointment-moved"), cancelled: idsOf("appointment-cancelled") };
}

/**
 * Return the moves and cancellations of a preview as a table.
 *
 * @param {any[]} events
 * @param {(id: number) => string} nameOf
 */
function previewOf(events, nameOf) {
  const moves = events.filter(({ type }) => type === "appointment-moved");
  const cancelled = events.filter(({ type }) => type === "appointment-cancelled");
  const row = (/** @type {any} */ appointment, /** @type {string} */ text) =>
    element("tr", {}, element("th", { scope: "row" }, timeOf(appointment.local_start)), element("td", {}, text));
  const heading = element("p", {});
  setText(heading, t("admin.move_list.preview", { n: moves.length }));
  const table = element(
    "table",
    { className: "plain-table" },
    element("tbody", {}, ...moves.map(({ appointment }) => row(appointment, t("admin.move_list.goes", { name: nameOf(appointment.provider_id) }))), ...cancelled.map(({ appointment }) => row(appointment, t("admin.move_list.cancelled")))),
  );
  return element("div", {}, heading, table);
}
