/** The section of webhooks: other systems get the events of the clinics. A secret is shown once. */

import { CommandFailed } from "../shared/commands.js";
import { element, setText } from "../shared/dom.js";
import { formatTime, t } from "../shared/i18n.js";
import { confirmChange } from "./confirm.js";
import { choice, formDialog, labelledField, wholeNumber, WrongField } from "./form-dialog.js";
import { showOnce } from "./secrets.js";
import { fullDateOf } from "./site-date.js";

/**
 * @typedef {import("./context.js").Context} Context
 * @typedef {{site_id: number, number: number, last: number, error: string | null, failing_since: number | null,
 *   next_at: number | null, off_at: number | null}} Place
 * @typedef {{id: number, url: string, state: "on" | "off" | "gone", former_secret_until: number | null, sites: Place[]}} Webhook
 */

const ADDRESS = "/api/v1/webhooks";
const MOST_NUMBER = 9_007_199_254_740_991;

/**
 * @param {HTMLElement} root
 * @param {Context} context
 */
export async function open(root, context) {
  const list = new List(context);
  await list.show();
  root.append(list.element);
}

/** All webhooks, and the button that adds one. */
class List {
  #context;
  #empty = element("p", { className: "records-empty" }, t("admin.webhooks.empty"));
  #groups = element("div");

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
    const add = buttonOf(t("admin.webhooks.add"), () => this.#add(), "button is-primary");
    this.element = element("div", {}, this.#empty, this.#groups, element("div", { className: "button-row webhook-add" }, add));
  }

  /** Read the webhooks again. @param {number} [focused]  the webhook whose first button gets the focus */
  async show(focused) {
    /** @type {{data: Webhook[]}} */
    const { data } = await this.#context.ask(ADDRESS);
    this.#empty.hidden = data.length > 0;
    this.#groups.replaceChildren(...data.map((webhook) => groupOf(this.#context, webhook, () => this.#again(webhook.id))));
    /** @type {HTMLElement | null} */ (this.#groups.querySelector(`[data-webhook="${focused}"] button`))?.focus();
  }

  async #again(/** @type {number} */ focused) {
    await this.show(focused).catch((error) => this.#context.complain(error));
  }

  async #add() {
    /** @type {{id: number, secret: string} | undefined} */
    let made;
    const saved = await addressDialog("https://", { title: t("admin.webhooks.add"), lead: t("admin.webhooks.add.lead") }, async (url) => {
      made = await this.#context.ask(ADDRESS, { method: "POST", body: { url } });
    });
    if (!saved || made === undefined) return;
    await showSecret(made.secret);
    await this.#again(made.id);
  }
}

/**
 * Return a webhook with its state and its buttons.
 *
 * @param {Context} context
 * @param {Webhook} webhook
 * @param {() => Promise<void>} again  shows all webhooks again
 */
function groupOf(context, webhook, again) {
  const { id, url, state, sites } = webhook;
  const address = `${ADDRESS}/${id}`;
  const heading = element("h2", { id: `webhook-${id}`, className: "webhook-url" }, element("bdi", { dir: "ltr" }, url));
  const result = element("p", { className: "channel-result", role: "status" });
  /** Do a change, and show what became of it. @param {() => Promise<unknown>} change */
  const doing = async (change) => {
    try {
      if ((await change()) === false) return;
    } catch (error) {
      context.complain(error);
    }
    if (!context.signal.aborted) await again();
  };
  const put = (/** @type {object} */ body) => context.ask(address, { method: "PUT", body });
  const troubled = state !== "on" || sites.some(({ error }) => error !== null);
  const buttons = [
    buttonOf(t("admin.webhooks.try"), () => tryOut(context, address, result)),
    buttonOf(t("admin.webhooks.change"), () => doing(() => changeAddress(webhook, put))),
    ...(troubled ? [buttonOf(t(state === "on" ? "admin.webhooks.again" : "admin.webhooks.on"), () => doing(() => put({ url, on: true })))] : []),
    ...(state === "on" ? [buttonOf(t("admin.webhooks.off"), () => doing(() => put({ url, on: false })))] : []),
    buttonOf(t("admin.webhooks.replay"), () => doing(() => replay(context, webhook))),
    buttonOf(t("admin.webhooks.renew"), () => doing(() => renewSecret(context, address))),
    buttonOf(t("admin.webhooks.remove"), () => doing(() => remove(context, address))),
  ];
  for (const button of buttons) button.setAttribute("aria-describedby", heading.id);
  const group = element(
    "section",
    { className: "group", "aria-labelledby": heading.id },
    heading,
    element("p", { className: "group-lead" }, t(`admin.webhooks.state.${state}`)),
    element("ul", { className: "channel-notes" }, ...notesOf(context, webhook)),
    element("div", { className: "button-row" }, ...buttons),
    result,
  );
  group.dataset.webhook = String(id);
  return group;
}

/** @param {Context} context @param {Webhook} webhook */
function notesOf(context, { sites, former_secret_until: until }) {
  const when = (/** @type {number} */ instant) => ({ day: fullDateOf(instant, context.zone), time: formatTime(instant, context.zone) });
  const notes = sites.map((place) => {
    const { number, last, error, failing_since: since, off_at: off } = place;
    const site = nameOf(context, place.site_id);
    const text = error === null ? "" : t(`admin.webhooks.outcome.${error}`);
    if (off !== null) return noteOf(t("admin.webhooks.site.off", { site, text, ...when(off) }), false);
    if (since !== null) return noteOf(t("admin.webhooks.site.failing", { site, text, number: number + 1, ...when(since) }), false);
    return number < last ? noteOf(t("admin.webhooks.site.behind", { site, number, last })) : noteOf(t("admin.webhooks.site.delivered", { site, number }), true);
  });
  if (until !== null) notes.push(noteOf(t("admin.webhooks.former", when(until))));
  return notes;
}

/** @param {string} text @param {boolean} [good] */
const noteOf = (text, good) => element("li", { className: good === undefined ? "" : good ? "is-good" : "is-bad" }, text);

/** @param {Context} context @param {number} siteId */
const nameOf = (context, siteId) => context.sites.find(({ id }) => id === siteId)?.name ?? String(siteId);

/** @param {string} text @param {() => unknown} run @param {string} [className] */
function buttonOf(text, run, className = "button") {
  const button = element("button", { className, type: "button" }, text);
  button.addEventListener("click", () => void run());
  return button;
}

/**
 * Ask for an address until the server takes it.
 *
 * @param {string} url
 * @param {{title: string, lead: string}} texts
 * @param {(url: string) => Promise<unknown>} send
 */
function addressDialog(url, texts, send) {
  const input = element("input", { type: "url", required: true, maxLength: 500, value: url, dir: "ltr" });
  return formDialog({
    ...texts,
    parts: [labelledField(t("admin.webhooks.url"), input, t("admin.webhooks.url.hint"))],
    yes: t("admin.webhooks.save"),
    submit: async () => {
      try {
        await send(input.value.trim());
      } catch (refusal) {
        const wrong = refusal instanceof CommandFailed && ["invalid_body", "invalid_field"].includes(refusal.code);
        throw wrong ? new WrongField(t("admin.webhooks.url.wrong")) : refusal;
      }
      return true;
    },
  });
}

/** @param {Webhook} webhook @param {(body: object) => Promise<unknown>} put */
const changeAddress = ({ url, state }, put) =>
  addressDialog(url, { title: t("admin.webhooks.change"), lead: t("admin.webhooks.change.lead") }, (to) => put({ url: to, on: state === "on" }));

/** @param {Context} context @param {string} address @param {HTMLElement} result */
async function tryOut(context, address, result) {
  result.classList.remove("is-good", "is-bad");
  setText(result, t("admin.channels.try.sending"));
  try {
    const { outcome } = await context.ask(`${address}/test`, { method: "POST" });
    result.classList.add(outcome === "delivered" ? "is-good" : "is-bad");
    setText(result, t(`admin.webhooks.outcome.${outcome}`));
  } catch (error) {
    setText(result, "");
    context.complain(error);
  }
}

/** @param {Context} context @param {Webhook} webhook */
async function replay(context, { id, sites }) {
  const site = choice(
    sites.map(({ site_id: siteId }) => /** @type {const} */ ([siteId, nameOf(context, siteId)])),
    sites[0]?.site_id ?? "",
  );
  const first = () => sites.find(({ site_id: siteId }) => String(siteId) === site.value)?.number ?? 1;
  const number = wholeNumber(Math.max(first(), 1), 1, MOST_NUMBER);
  site.addEventListener("change", () => (number.value = String(Math.max(first(), 1))));
  const done = await formDialog({
    title: t("admin.webhooks.replay"),
    lead: t("admin.webhooks.replay.lead"),
    parts: [labelledField(t("admin.webhooks.replay.site"), site), labelledField(t("admin.webhooks.replay.number"), number)],
    yes: t("admin.webhooks.replay.yes"),
    submit: async () => {
      const body = { site_id: Number(site.value), number: Number(number.value) };
      try {
        await context.ask(`${ADDRESS}/${id}/replay`, { method: "POST", body });
      } catch (refusal) {
        const wrong = refusal instanceof CommandFailed && refusal.code === "invalid_field";
        throw wrong ? new WrongField(t("admin.webhooks.replay.wrong")) : refusal;
      }
      return true;
    },
  });
  if (done) context.say(t("admin.webhooks.replay.done"));
  return done;
}

/** @param {Context} context @param {string} address */
async function renewSecret(context, address) {
  const question = { title: t("admin.webhooks.renew.title"), lead: t("admin.webhooks.renew.lead"), yes: t("admin.webhooks.renew") };
  if (!(await confirmChange([], question))) return false;
  const { secret } = await context.ask(`${address}/secret`, { method: "POST" });
  return showSecret(secret);
}

/** @param {Context} context @param {string} address */
async function remove(context, address) {
  const question = { title: t("admin.webhooks.remove.title"), lead: t("admin.webhooks.remove.lead"), yes: t("admin.webhooks.remove") };
  if (!(await confirmChange([], question))) return false;
  return context.ask(address, { method: "DELETE" });
}

/** @param {string} secret */
const showSecret = (secret) =>
  showOnce("webhook-secret", secret, {
    title: t("admin.webhooks.secret.title"),
    lead: t("admin.webhooks.secret.lead"),
    label: t("admin.webhooks.secret"),
    copy: t("admin.webhooks.copy"),
    copied: t("admin.webhooks.copied"),
  });
