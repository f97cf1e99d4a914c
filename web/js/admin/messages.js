/** The section of messages: what became of each message to a patient. One that failed can be sent again. */

import { errorMessage } from "../desk/error-messages.js";
import { element, setText } from "../shared/dom.js";
import { formatTime, hasText, t } from "../shared/i18n.js";
import { dayOf, timeOf } from "../shared/local-time.js";
import { confirmChange } from "./confirm.js";
import { reminderLead } from "./reminder-lead.js";
import { fullDateOf } from "./site-date.js";

/**
 * @typedef {import("./context.js").Context} Context
 * @typedef {object} Message
 * @property {number} id
 * @property {string} kind
 * @property {number} ahead
 * @property {string} way
 * @property {string} state
 * @property {string | null} reason
 * @property {string | null} receipt
 * @property {number} due_at
 * @property {string | null} local_start
 * @property {string | null} label
 * @property {string | null} recipient
 * @property {number | null} resend_of
 * @property {boolean} may_resend
 * @property {number | null} minutes
 */

const PAGE = 50;
const STATES = ["due", "sent", "failed", "unknown", "withdrawn", "expired", "suppressed", "skipped"];
const BAD = new Set(["failed", "unknown", "expired", "suppressed"]);

/**
 * @param {HTMLElement} root
 * @param {Context} context
 */
export async function open(root, context) {
  const options = STATES.map((state) => element("option", { value: state }, t(`admin.messages.state.${state}`)));
  const state = element("select", { id: "messages-state" }, element("option", { value: "" }, t("admin.messages.all")), ...options);
  const refresh = element("button", { className: "button is-quiet", type: "button" }, t("admin.messages.refresh"));
  const rows = element("tbody");
  const empty = element("p", { className: "records-empty" });
  const headings = ["due", "state", "kind", "to", "about"].map((name) => element("th", { scope: "col" }, t(`admin.messages.${name}`)));
  const table = element("table", { className: "table" }, element("thead", {}, element("tr", {}, ...headings)), rows);
  const more = element("button", { className: "button", type: "button" }, t("admin.audit.more"));
  const trouble = element("p", { className: "field-error", role: "alert" });
  /** @type {string | null} */
  let next = null;
  let asked = 0;

  const read = async (/** @type {boolean} */ first) => {
    const query = new URLSearchParams({ page_size: String(PAGE) });
    if (state.value) query.set("state", state.value);
    if (!first && next !== null) query.set("after", next);
    const number = (asked += 1);
    setText(trouble, "");
    try {
      const { data, pagination } = await context.ask(`/api/v1/sites/${context.site.id}/messages?${query}`);
      if (number !== asked) return; // another filter was chosen meanwhile
      if (first) rows.replaceChildren();
      rows.append(...data.map((/** @type {Message} */ each) => rowOf(context, each, () => read(true))));
      next = pagination.next;
    } catch (refusal) {
      if (context.signal.aborted || number !== asked) return;
      setText(trouble, errorMessage(refusal));
    }
    more.hidden = next === null;
    setText(empty, t(state.value ? "admin.messages.none" : "admin.messages.empty"));
    empty.hidden = rows.childElementCount > 0 || trouble.textContent !== "";
    table.hidden = rows.childElementCount === 0;
  };

  state.addEventListener("change", () => void read(true));
  refresh.addEventListener("click", () => void read(true));
  more.addEventListener("click", () => void read(false));
  root.append(
    element(
      "div",
      { className: "group" },
      element(
        "div",
        { className: "group-fields" },
        element("div", { className: "field" }, element("label", { htmlFor: state.id }, t("admin.messages.state")), state),
        element("p", { className: "field-submit" }, refresh),
      ),
      trouble,
      empty,
      element("div", { className: "table-room", tabIndex: 0, role: "region", "aria-label": t("admin.messages") }, table),
      element("p", {}, more),
    ),
  );
  await read(true);
}

/**
 * @param {Context} context
 * @param {Message} message
 * @param {() => Promise<void>} again  reads the list again
 */
function rowOf(context, message, again) {
  const { id, kind, way, state, due_at: due, local_start: start, label, recipient, may_resend: may } = message;
  const what = element("th", { scope: "row", id: `message-${id}` }, nameOf(message));
  const to = [recipient === null ? t("admin.messages.no_address") : element("bdi", { dir: "ltr" }, recipient), element("span", { className: "message-note" }, t(`admin.channels.way.${way}`))];
  const notes = notesOf(message).map((text) => element("span", { className: "message-note" }, text));
  const outcome = element("td", {}, element("span", { className: BAD.has(state) ? "is-refused" : "" }, t(`admin.messages.state.${state}`)), ...notes);
  const row = element(
    "tr",
    {},
    element("td", {}, `${fullDateOf(due, context.zone)}, ${formatTime(due, context.zone)}`),
    outcome, // early: a phone shows the first columns
    what,
    element("td", {}, ...to),
    element("td", {}, start === null ? (label ?? "") : element("a", { href: `/calendar?date=${start.slice(0, 10)}` }, `${dayOf(start)}, ${timeOf(start)}`)),
  );
  row.dataset.message = kind;
  row.dataset.state = state;
  if (may) {
    const button = element("button", { className: "button", type: "button", "aria-describedby": what.id }, t("admin.messages.again"));
    button.addEventListener("click", () => void sendAgain(context, message, again));
    outcome.append(button);
  }
  return row;
}

/**
 * @param {Context} context
 * @param {Message} message
 * @param {() => Promise<void>} again
 */
async function sendAgain(context, message, again) {
  const question = { title: t("admin.messages.again.title"), lead: t(`admin.messages.again.${message.state}`), yes: t("admin.messages.again") };
  if (!(await confirmChange([], question))) return;
  try {
    await context.ask(`/api/v1/messages/${message.id}/resend`, { method: "POST" });
    context.say(t("admin.messages.again.done"));
  } catch (refusal) {
    if (context.signal.aborted) return;
    context.complain(refusal);
  }
  await again();
}

/** Return the kind of a message with its time: "Reminder, 3 days before", or "Delay, 30 minutes". @param {Message} message */
function nameOf({ kind, ahead, minutes }) {
  const time = kind === "reminder" ? reminderLead(ahead) : minutes === null ? null : t("patient.late.minutes", { n: minutes });
  return [t(`admin.messages.kind.${kind}`), ...(time === null ? [] : [time])].join(t("admin.list.separator"));
}

/** Return what else is known of a message: why it is in its state, and whether it arrived. @param {Message} message */
function notesOf({ state, reason, receipt, resend_of: first }) {
  const reasons = [`admin.messages.reason.${reason}`, `admin.channels.outcome.${reason}`];
  const why = state === "sent" ? undefined : reasons.find(hasText);
  return [
    ...(first === null ? [] : [t("admin.messages.repeat")]),
    ...(why === undefined ? [] : [t(why)]),
    ...(receipt === null ? [] : [t(`admin.channels.arrival.${receipt}`)]),
  ];
}
