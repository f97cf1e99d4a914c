/** The section of channels: how messages reach patients, one channel for each way. No secret is shown again. */

import { element, setText } from "../shared/dom.js";
import { formatTime, t } from "../shared/i18n.js";
import { channelForm, KINDS_OF } from "./channel-form.js";
import { confirmChange } from "./confirm.js";
import { formDialog, labelledField } from "./form-dialog.js";
import { fullDateOf } from "./site-date.js";

/**
 * @typedef {import("./context.js").Context} Context
 * @typedef {import("./channel-form.js").Channel} Channel
 * @typedef {import("./channel-form.js").Way} Way
 */

const ADDRESS = "/api/v1/channels";
const GOOD = new Set(["accepted", "delivered"]);
/** The field for the address of a trial message, by way. Push has none: a browser has to subscribe. */
const TRIALS = { sms: { type: "tel", autocomplete: "tel" }, chat: { type: "tel", autocomplete: "tel" }, email: { type: "email", autocomplete: "email" } };

/**
 * @param {HTMLElement} root
 * @param {Context} context
 */
export async function open(root, context) {
  const groups = /** @type {Way[]} */ (Object.keys(KINDS_OF)).map((way) => new Group(context, way, () => show()));
  const show = async () => {
    /** @type {{data: Channel[]}} */
    const { data } = await context.ask(ADDRESS);
    for (const group of groups) group.update(data.find(({ way }) => way === group.way));
  };
  await show();
  root.append(...groups.map((group) => group.element));
}

/** One way, with its channel if there is one. */
class Group {
  #context;
  #show;
  #heading;
  #state = element("p", { className: "group-lead" });
  #notes = element("ul", { className: "channel-notes" });
  #actions = element("div", { className: "button-row" });

  /**
   * @param {Context} context
   * @param {Way} way
   * @param {() => Promise<void>} show  reads all channels again
   */
  constructor(context, way, show) {
    this.#context = context;
    this.#show = show;
    this.way = way;
    this.#heading = element("h2", { id: `channel-${way}` }, t(`admin.channels.way.${way}`));
    this.element = element(
      "section",
      { className: "group", "aria-labelledby": this.#heading.id },
      this.#heading,
      this.#state,
      this.#notes,
      this.#actions,
    );
    this.element.dataset.way = way;
  }

  /** @param {Channel | undefined} channel */
  update(channel) {
    setText(this.#state, channel === undefined ? t(`admin.channels.none.${this.way}`) : summaryOf(channel));
    this.#notes.hidden = channel === undefined;
    this.#notes.replaceChildren(...(channel === undefined ? [] : this.#notesOf(channel)));
    const buttons = [this.#button(t(channel === undefined ? "admin.channels.set_up" : "admin.channels.change"), () => this.#change(channel))];
    if (channel !== undefined) {
      if (channel.way !== "push") buttons.push(this.#button(t("admin.channels.try"), () => this.#try(channel)));
      buttons.push(this.#button(t("admin.channels.remove"), () => this.#remove()));
    }
    this.#actions.replaceChildren(...buttons);
  }

  /** @param {string} text @param {() => unknown} run */
  #button(text, run) {
    const button = element("button", { className: "button", type: "button", "aria-describedby": this.#heading.id }, text);
    button.addEventListener("click", () => void run());
    return button;
  }

  /** @param {Channel} channel */
  #notesOf({ way, kind, outcome, outcome_at: at, arrival, arrival_at: arrived, honours_key: once, reports_to: reports }) {
    const { zone } = this.#context;
    const when = (/** @type {number} */ instant) => ({ day: fullDateOf(instant, zone), time: formatTime(instant, zone) });
    const rows = [
      outcome === null || at === null
        ? noteOf(t("admin.channels.no_outcome"))
        : noteOf(t("admin.channels.outcome", { ...when(at), text: t(`admin.channels.outcome.${outcome}`) }), GOOD.has(outcome)),
    ];
    if (arrival !== null && arrived !== null)
      rows.push(noteOf(t("admin.channels.arrival", { ...when(arrived), text: t(`admin.channels.arrival.${arrival}`) }), GOOD.has(arrival)));
    if (way === "sms" && kind !== "apprise") rows.push(noteOf(t(once ? "admin.channels.once" : "admin.channels.not_once")));
    if (reports !== null) {
      const address = element("code", {}, reports);
      address.dir = "ltr";
      rows.push(element("li", {}, t("admin.channels.replies"), " ", address));
    }
    if (kind === "apprise") rows.push(noteOf(t("admin.channels.no_receipts")));
    return rows;
  }

  /** @param {Channel | undefined} channel */
  async #change(channel) {
    if (await channelForm(this.#context, this.way, channel)) {
      this.#context.say(t("admin.saved"));
      await this.#again();
    }
  }

  async #remove() {
    const way = t(`admin.channels.way.${this.way}`);
    const question = { title: t("admin.channels.remove.title", { way }), lead: t("admin.channels.remove.lead"), yes: t("admin.channels.remove") };
    if (!(await confirmChange([], question))) return;
    await this.#context.ask(`${ADDRESS}/${this.way}`, { method: "DELETE" }).catch((error) => this.#context.complain(error));
    await this.#again();
  }

  /** Send a trial message. The dialog stays and says what became of it. @param {Channel} channel */
  async #try({ way }) {
    const { type, autocomplete } = TRIALS[/** @type {keyof typeof TRIALS} */ (way)];
    const to = element("input", { type, required: true, maxLength: 200 });
    to.setAttribute("autocomplete", autocomplete);
    to.dir = "ltr";
    const result = element("p", { className: "channel-result", role: "status" });
    const field = labelledField(t(`admin.channels.to.${type}`), to, type === "tel" ? t("admin.channels.to.hint") : undefined);
    await formDialog({
      title: t("admin.channels.try"),
      lead: t("admin.channels.try.lead"),
      parts: [field, result],
      yes: t("admin.channels.try.send"),
      no: t("admin.close"),
      submit: async () => {
        setText(result, t("admin.channels.try.sending"));
        result.classList.remove("is-good", "is-bad");
        try {
          const body = { to: to.value.replace(/[\s()/-]/g, (each) => (type === "tel" ? "" : each)), language: document.documentElement.lang };
          const { outcome, provider_id: id } = await this.#context.ask(`${ADDRESS}/${way}/test`, { method: "POST", body });
          result.classList.add(outcome === "accepted" ? "is-good" : "is-bad");
          const text = t(`admin.channels.outcome.${outcome}`);
          setText(result, id === null ? text : t("admin.channels.try.id", { text, id }));
        } catch (refusal) {
          setText(result, "");
          throw refusal;
        }
        return false;
      },
    });
    await this.#again();
  }

  async #again() {
    await this.#show().catch((error) => this.#context.complain(error));
    if (!this.#context.signal.aborted) this.#actions.querySelector("button")?.focus();
  }
}

/** @param {string} text @param {boolean} [good] */
function noteOf(text, good) {
  return element("li", { className: good === undefined ? "" : good ? "is-good" : "is-bad" }, text);
}

/** Return the kind of a channel with the settings that tell it from others. @param {Channel} channel */
function summaryOf({ kind, settings }) {
  const { sender, host, service, contact } = settings;
  const details = [host ?? service, sender ?? contact].filter(Boolean).join(" · ");
  const name = t(`admin.channels.kind.${kind}`);
  return details ? `${name} · ${details}` : name;
}
