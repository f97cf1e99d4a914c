import { appointmentError } from "../desk/appointment-texts.js";
import { clearErrors, showError } from "../desk/form-errors.js";
import { fieldOf, formDialog, optionsOf, pairOf } from "../desk/form-parts.js";
import { ReachLine, showPhoneList } from "../desk/reach.js";
import { previewCommand } from "../shared/commands.js";
import { element, setText, updateList } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { dayOf, timeOf } from "../shared/local-time.js";

/**
 * @typedef {import("./state.js").CalendarState} CalendarState
 * @typedef {{type: string, appointment?: {id: number, provider_id: number, local_start: string}}} MovedEvent
 * @typedef {{id: number, time: string, name: string, to: string | null}} Row  `to` null: no provider is free then
 */

const ASK_MS = 250;
const SHORTEST_REASON = 3; // as on the server

/**
 * The dialog that moves the appointments of a provider who is ill. It shows first who would go where, and which
 * appointments have no place, and who the messages reach. Afterwards it lists the patients to phone. Nothing changes before the button is pressed.
 *
 * @param {CalendarState} state
 * @param {(text: string, kind: "done" | "error") => void} show  the page's message
 * @returns {{open: (providerId: number, date: string) => void}}
 */
export function moveDayDialog(state, show) {
  const inputs = {
    to: element("select"),
    reason: element("input", { maxLength: 200, autocomplete: "off", required: true }),
    from: element("input", { type: "time" }),
    until: element("input", { type: "time" }),
  };
  const choices = [choiceOf("keep", true), choiceOf("cancel", false)];
  const unplaced = element(
    "fieldset",
    { className: "choices" },
    element("legend", {}, t("move_day.unplaced")),
    element("div", { className: "choice-list" }, ...choices.map(({ label }) => label)),
  );
  const lead = element("p", { className: "dialog-lead" });
  const summary = element("p", { className: "move-summary", role: "status" });
  const list = element("ol", { className: "move-list" });
  const reach = new ReachLine(state.site.id);
  const { dialog, form, heading, error, submit } = formDialog(
    "move-day",
    { submit: t("move_day.submit"), wide: true },
    lead,
    pairOf(fieldOf("move-day-to", t("move_day.to"), inputs.to), fieldOf("move-day-reason", t("move_day.reason"), inputs.reason)),
    pairOf(fieldOf("move-day-from", t("move_day.from"), inputs.from), fieldOf("move-day-until", t("move_day.until"), inputs.until)),
    element("div", { className: "move-preview", tabIndex: 0, role: "region", "aria-labelledby": "move-day-title" }, summary, list),
    unplaced,
    reach.element,
  );
  let subject = { provider: 0, date: "" };
  /** Counts the previews, so that a late answer does not replace a newer one. */
  let turn = 0;
  /** @type {Row[]} */
  let shownRows = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  const nameOf = (/** @type {number} */ id) => state.calendar.providers.find((each) => each.id === id)?.name ?? "";
  const body = (/** @type {string} */ rest) => ({
    provider_id: subject.provider,
    date: subject.date,
    reason: inputs.reason.value.trim(),
    unplaced: rest,
    ...(inputs.to.value === "" ? {} : { to_provider_id: Number(inputs.to.value) }),
    ...(inputs.from.value === "" ? {} : { from: inputs.from.value }),
    ...(inputs.until.value === "" ? {} : { until: inputs.until.value }),
  });

  /** Show what would happen now. */
  async function preview() {
    turn += 1;
    const mine = turn;
    setText(error, "");
    list.setAttribute("aria-busy", "true");
    try {
      // "cancel" lists all of them: those that move, and those without a place.
      const { events } = await previewCommand("move-appointments", { ...body("cancel"), reason: inputs.reason.value.trim().padEnd(SHORTEST_REASON, ".") });
      if (mine === turn) showRows(/** @type {MovedEvent[]} */ (events));
    } catch (refusal) {
      if (mine !== turn) return;
      showRows([]);
      setText(error, appointmentError(refusal));
    }
  }

  /** @param {MovedEvent[]} events */
  function showRows(events) {
    /** @type {Row[]} */
    const rows = events.flatMap(({ type, appointment }) => {
      if (appointment === undefined) return [];
      const moved = type === "appointment-moved";
      const known = state.find(appointment.id);
      return [{ id: appointment.id, time: appointment.local_start, name: known?.name ?? "", to: moved ? nameOf(appointment.provider_id) : null }];
    });
    rows.sort((one, other) => one.time.localeCompare(other.time));
    const stays = rows.filter(({ to }) => to === null).length;
    shownRows = rows;
    lookAhead();
    list.removeAttribute("aria-busy");
    setText(summary, rows.length === 0 ? t("move_day.none") : [t("move_day.moves", { n: rows.length - stays }), ...(stays === 0 ? [] : [t("move_day.stays", { n: stays })])].join(" · "));
    unplaced.hidden = stays === 0;
    submit.disabled = rows.length === 0;
    updateList(list, rows, ({ id }) => id, makeRow, (shown, { time, name, to }) => {
      const [when = shown, who = shown, where = shown] = shown.children;
      shown.classList.toggle("is-unplaced", to === null);
      setText(when, timeOf(time));
      setText(who, name);
      setText(where, to ?? t("move_day.no_place"));
    });
  }

  /** Show who the messages reach. Patients whose appointment stays get none. */
  function lookAhead() {
    const cancels = choices.some(({ input }) => input.checked && input.value === "cancel");
    const idsOf = (/** @type {boolean} */ placed) => shownRows.filter(({ to }) => (to !== null) === placed).map(({ id }) => id);
    reach.look({ moved: idsOf(true), cancelled: cancels ? idsOf(false) : [] });
  }

  async function move() {
    submit.setAttribute("aria-busy", "true");
    try {
      const rest = choices.find(({ input }) => input.checked)?.input.value ?? "keep";
      const { events } = await state.orders.send("move-appointments", body(unplaced.hidden ? "refuse" : rest));
      const changed = new Set(/** @type {MovedEvent[]} */ (events).map(({ appointment }) => appointment?.id));
      const { untold } = reach;
      dialog.close();
      void untold.then((patients) => showPhoneList(patients.filter(({ appointment_id: id }) => changed.has(id))));
      show(t("done.move-appointments", { n: events.filter(({ type }) => type === "appointment-moved").length }), "done");
    } catch (refusal) {
      await preview();
      setText(error, appointmentError(refusal));
    } finally {
      submit.removeAttribute("aria-busy");
    }
  }

  const previewSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => void preview(), ASK_MS);
  };
  for (const each of [inputs.to, inputs.from, inputs.until]) each.addEventListener("change", previewSoon);
  for (const { input } of choices) input.addEventListener("change", lookAhead);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (submit.getAttribute("aria-busy") === "true") return;
    clearErrors(form);
    if (inputs.reason.value.trim().length < SHORTEST_REASON) showError(form, "reason", t("issue.error.overbook"));
    else void move();
  });
  dialog.addEventListener("close", () => {
    turn += 1;
    clearTimeout(timer);
    reach.clear();
  });

  return {
    open(provider, date) {
      subject = { provider, date };
      form.reset();
      clearErrors(form);
      const others = state.calendar.providers.filter(({ id }) => id !== provider);
      inputs.to.replaceChildren(element("option", { value: "" }, t("appointment.anyone")), ...optionsOf(others));
      inputs.reason.value = t("move_day.reason.default");
      setText(heading, t("move_day.title", { name: nameOf(provider) }));
      setText(lead, dayOf(date));
      unplaced.hidden = true;
      submit.disabled = true;
      setText(summary, "");
      reach.clear();
      updateList(list, [], () => "", makeRow, () => {});
      dialog.showModal();
      inputs.to.focus();
      void preview();
    },
  };
}

/**
 * @param {"keep" | "cancel"} value
 * @param {boolean} defaultChecked
 */
function choiceOf(value, defaultChecked) {
  const input = element("input", { type: "radio", name: "unplaced", value, defaultChecked });
  return { input, label: element("label", { className: "choice" }, input, element("span", {}, t(`move_day.${value}`))) };
}

const makeRow = () =>
  element(
    "li",
    { className: "move-row" },
    element("span", { className: "move-time" }),
    element("span", { className: "move-name" }),
    element("span", { className: "move-to" }),
  );
