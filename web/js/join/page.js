import { queueChip } from "../components/queue-chip.js";
import { waitText, waitingText } from "../components/wait-range.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { formatDay, formatTime, learnOffsets, nameIn, t } from "../shared/i18n.js";

/**
 * @typedef {import("./asking.js").Joining} Joining
 * @typedef {import("./asking.js").Queue} Queue
 *
 * @typedef {{kind: "loading"} | {kind: "off"} | {kind: "closed"} | {kind: "code"} | {kind: "open"}
 *   | {kind: "later", why: "too_often" | "too_many", until: number}} State  what the page shows
 */

/** Paints the page. */
export class JoinPage {
  codeForm = /** @type {HTMLFormElement} */ (find("[data-code-form]"));
  queueForm = /** @type {HTMLFormElement} */ (find("[data-queue-form]"));
  code = /** @type {HTMLInputElement} */ (find("#code"));
  phone = /** @type {HTMLInputElement} */ (find("#phone"));

  /**
   * Show a state.
   *
   * @param {State} state
   * @param {Joining | null} joining  the latest answer of the server
   */
  paint(state, joining) {
    const { kind } = state;
    const changed = document.body.dataset.state !== kind;
    document.body.dataset.state = kind;
    setText(find("[data-site]"), joining?.site.name ?? "");
    const { title, lead } = textsOf(state, joining);
    setText(find("[data-title]"), title);
    setText(find("[data-lead]"), lead);
    find("[data-lead]").hidden = lead === "";
    document.title = joining === null ? title : `${title} · ${joining.site.name}`;
    this.codeForm.hidden = kind !== "code";
    this.queueForm.hidden = kind !== "open";
    if (kind === "open" && joining !== null) this.#paintQueues(joining);
    if (changed && kind !== "loading") this.#focus(kind);
  }

  /** The id of the chosen queue, or null. @returns {number | null} */
  get chosen() {
    const checked = /** @type {HTMLInputElement | null} */ (this.queueForm.querySelector("[name=queue]:checked:not(:disabled)"));
    return checked === null ? null : Number(checked.value);
  }

  /** Show an error beside a field, or remove it. @param {"code" | "phone"} name @param {string} text */
  showError(name, text) {
    const input = this[name];
    setText(find(`#${name}-error`), text);
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }

  /** Show why there is no ticket, above the button. @param {string} text */
  showProblem(text) {
    setText(find("[data-problem]"), text);
  }

  /** Show that the page has no connection, or remove the notice. @param {boolean} away */
  showAway(away) {
    const notice = find("[data-notice]");
    setText(notice, away ? t("join.offline") : "");
    notice.classList.toggle("is-shown", away);
  }

  /** Mark a form as busy: a second touch sends nothing. @param {HTMLFormElement} form @param {boolean} busy */
  setBusy(form, busy) {
    find("[type=submit]", form).setAttribute("aria-busy", String(busy));
  }

  /** @param {HTMLFormElement} form */
  isBusy(form) {
    return find("[type=submit]", form).getAttribute("aria-busy") === "true";
  }

  /** @param {Joining} joining */
  #paintQueues({ queues, now, phone }) {
    const list = find("[data-queues]");
    updateList(list, queues, ({ id }) => id, makeQueue, (row, queue) => updateQueue(row, queue, now));
    const open = queues.filter(({ room }) => room === "open");
    const [only] = open;
    if (this.chosen === null && open.length === 1 && only !== undefined) {
      /** @type {HTMLInputElement} */ (find(`[name=queue][value="${only.id}"]`, list)).checked = true;
    }
    find(".join-queues").hidden = queues.length === 0;
    find("[data-phone-field]").hidden = phone === "none";
    setText(find("[data-phone-label]"), t(phone === "optional" ? "join.phone.optional" : "join.phone"));
    this.phone.required = phone === "required";
    find("[data-take]").hidden = open.length === 0;
    if (open.length === 0) this.showProblem(t("join.nothing"));
    else if (find("[data-problem]").textContent === t("join.nothing")) this.showProblem("");
  }

  /** @param {State["kind"]} kind */
  #focus(kind) {
    if (kind === "code") this.code.focus();
    else if (kind !== "open") find("[data-title]").focus({ preventScroll: true });
  }
}

/**
 * @param {State} state
 * @param {Joining | null} joining
 * @returns {{title: string, lead: string}}
 */
function textsOf(state, joining) {
  const zone = joining?.site.time_zone;
  learnOffsets(joining?.site);
  if (state.kind === "off") return { title: t("join.off"), lead: t("join.off.lead") };
  if (state.kind === "closed") {
    const opens = joining?.opens_at ?? null;
    const lead = opens === null ? t("join.closed.ask") : t("join.closed.opens", { day: formatDay(opens, zone), time: formatTime(opens, zone) });
    return { title: t("join.closed"), lead };
  }
  if (state.kind === "later") {
    return { title: t(`join.${state.why}`), lead: t("join.later", { time: formatTime(state.until, zone) }) };
  }
  return { title: t("join.title"), lead: t("join.lead") };
}

/** @param {Queue} queue */
function makeQueue(queue) {
  return element(
    "label",
    { className: "join-queue" },
    element("input", { type: "radio", name: "queue", value: String(queue.id), required: true }),
    queueChip(queue),
    element(
      "span",
      { className: "join-queue-words" },
      element("span", { className: "join-queue-name" }),
      element(
        "span",
        { className: "join-queue-line" },
        element("span", { className: "join-queue-wait" }),
        element("span", { className: "join-queue-waiting" }),
      ),
    ),
  );
}

/**
 * @param {HTMLElement} row
 * @param {Queue} queue
 * @param {number} now
 */
function updateQueue(row, queue, now) {
  const open = queue.room === "open";
  const input = /** @type {HTMLInputElement} */ (find("input", row));
  input.disabled = !open;
  if (!open) input.checked = false;
  setText(find(".join-queue-name", row), nameIn(queue.name, queue.names));
  setText(find(".join-queue-waiting", row), open ? waitingText(queue) : t(`join.${queue.room}`));
  setText(find(".join-queue-wait", row), open ? waitText(queue, now) : "");
}
