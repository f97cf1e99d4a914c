/** The dialog of reports by mail: one month now, or each month; who gets them, and what became of the last mails. */

import { errorMessage } from "../desk/error-messages.js";
import { element, loadStyle, setText } from "../shared/dom.js";
import { currentLanguage, formatDate, formatTime, t } from "../shared/i18n.js";
import { newKey } from "../shared/commands.js";
import { ask } from "../shared/staff-requests.js";

/**
 * @typedef {{id: string, address: string | null, language: string, hour: number, since: number}} Reader
 * @typedef {{address: string | null, month: string, language: string, monthly: boolean, state: string, reason: string | null, changed_at: number}} Mail
 * @typedef {{channel: "ready" | "no-channel" | "no-attachments", most_readers: number, readers: Reader[], mails: Mail[]}} Mails
 */

const LANGUAGES = ["en", "es", "fr", "ar"];
const HOURS = Array.from({ length: 24 }, (_, hour) => hour);
const USUAL_HOUR = 8;
const AGAIN_MS = 3000;
const OPEN = ["due", "sending"];
/** The reasons that have the same text and remedy. @type {Record<string, string>} */
const REMEDIES = {
  ...Object.fromEntries(["no-connection", "no-encryption", "certificate", "credentials", "sender", "forbidden", "busy"].map((reason) => [reason, "server"])),
  ...Object.fromEntries(["no-channel", "no-attachments", "counting", "address", "no-answer", "no-right", "no-address", "ended"].map((reason) => [reason, reason])),
};

const languageName = (/** @type {string} */ tag) => new Intl.DisplayNames([currentLanguage()], { type: "language" }).of(tag) ?? tag;
const hourName = (/** @type {number} */ hour) => formatTime(Date.UTC(2024, 0, 1, hour), "UTC");

/**
 * Return the name of a month: "November 2026".
 *
 * @param {string} month  YYYY-MM
 */
export const monthText = (month) => new Intl.DateTimeFormat(currentLanguage(), { month: "long", year: "numeric", timeZone: "UTC" }).format(Date.parse(`${month}-01T00:00Z`));

/**
 * Return what became of a mail, with the reason and the remedy.
 *
 * @param {Pick<Mail, "state" | "reason">} mail
 */
export function stateText({ state, reason }) {
  const name = t(`insights.mail.state.${state}`);
  if (reason === null) return name;
  return t("insights.pair", { one: name, other: t(`insights.mail.why.${REMEDIES[reason] ?? "refused"}`) });
}

/**
 * Open the dialog.
 *
 * @param {string} root    the address of the figures of the site
 * @param {string} month   the month that the page shows, YYYY-MM
 * @param {string} zone    the time zone of the site
 * @param {boolean} admin  whether the reader may connect channels
 */
export async function openMails(root, month, zone, admin) {
  await loadStyle("report-mails");
  const heading = element("h2", { id: "mails-title" }, t("insights.mail"));
  const address = element("input", { id: "mails-address", type: "email", required: true, maxLength: 245, autocomplete: "email", dir: "ltr" });
  const language = element("select", { id: "mails-language" }, ...LANGUAGES.map((tag) => element("option", { value: tag }, languageName(tag))));
  language.value = LANGUAGES.includes(currentLanguage()) ? currentLanguage() : "en";
  const hour = element("select", { id: "mails-hour" }, ...HOURS.map((each) => element("option", { value: String(each) }, hourName(each))));
  hour.value = String(USUAL_HOUR);
  const once = element("input", { type: "radio", name: "mails-when", value: "once", checked: true });
  const monthly = element("input", { type: "radio", name: "mails-when", value: "monthly" });
  const choices = element("div", { className: "choice-list" });
  for (const [input, text] of /** @type {[HTMLInputElement, string][]} */ ([[once, t("insights.mail.once", { month: monthText(month) })], [monthly, t("insights.mail.monthly")]])) choices.append(element("label", { className: "choice" }, input, text));
  const when = element("fieldset", { className: "choices" }, element("legend", {}, t("insights.mail.when")), choices);
  const ofHour = field(hour, t("insights.mail.hour"));
  const error = element("p", { className: "field-error", role: "alert" });
  const told = element("p", { className: "mails-told", role: "status" });
  const close = element("button", { className: "button", type: "button" }, t("insights.close"));
  const send = element("button", { className: "button is-primary", type: "submit" });
  const channel = element("p", { className: "insights-note" });
  const lists = element("div", { className: "mails-lists" });
  const form = element("form", { noValidate: true }, field(address, t("insights.mail.address")), when, element("div", { className: "mails-pair" }, field(language, t("insights.mail.language")), ofHour), error, told, element("div", { className: "dialog-actions" }, close, send));
  const dialog = element("dialog", { className: "dialog is-wide mails", "aria-labelledby": heading.id }, heading, element("p", { className: "dialog-lead" }, t("insights.mail.lead")), channel, form, lists);
  channel.hidden = true;
  /** A repeated touch of the button asks for the same mail. */
  let request = newKey();
  let timer = 0;

  const turn = () => {
    ofHour.hidden = !monthly.checked;
    setText(send, t(monthly.checked ? "insights.mail.subscribe" : "insights.mail.send"));
  };
  for (const input of [once, monthly]) input.addEventListener("change", turn);
  turn();

  const read = async () => {
    clearTimeout(timer);
    const { body, error: refusal } = await ask(`${root}/mails`);
    if (refusal !== undefined) return setText(error, errorMessage(refusal));
    const found = /** @type {Mails} */ (body);
    channel.hidden = found.channel === "ready";
    channel.replaceChildren(...(channel.hidden ? [] : [t(`insights.mail.why.${found.channel}`), ...(admin ? [" ", element("a", { href: "/admin/channels" }, t("insights.mail.connect"))] : [])]));
    lists.replaceChildren(...readersOf(found, remove), ...mailsOf(found, zone));
    if (found.mails.some(({ state }) => OPEN.includes(state)) && dialog.open) timer = setTimeout(() => void read().catch(() => {}), AGAIN_MS);
  };

  /** @param {Reader} reader */
  const remove = async (reader) => {
    setText(error, "");
    try {
      const { error: refusal } = await ask(`${root}/readers/${reader.id}`, { method: "DELETE" });
      setText(error, refusal === undefined ? "" : errorMessage(refusal));
      await read();
      setText(told, refusal === undefined ? t("insights.mail.removed", { address: reader.address ?? "" }) : "");
      close.focus(); // the button that was pressed has gone
    } catch {
      setText(error, t("error.unreachable"));
    }
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (send.getAttribute("aria-busy") === "true") return;
    setText(error, "");
    setText(told, "");
    address.toggleAttribute("aria-invalid", false);
    if (!address.checkValidity()) {
      address.setAttribute("aria-invalid", "true");
      setText(error, t("insights.mail.address.wrong"));
      address.focus();
      return;
    }
    send.setAttribute("aria-busy", "true");
    const chosen = { address: address.value.trim(), language: language.value };
    try {
      const { error: refusal } = monthly.checked
        ? await ask(`${root}/readers`, { method: "POST", body: { ...chosen, hour: Number(hour.value) } })
        : await ask(`${root}/mails`, { method: "POST", body: { ...chosen, month, request } });
      if (refusal !== undefined) setText(error, refusal.code === "invalid_body" ? t("insights.mail.address.wrong") : errorMessage(refusal));
      else {
        request = newKey();
        setText(told, t(monthly.checked ? "insights.mail.subscribed" : "insights.mail.planned", { address: chosen.address }));
        address.value = "";
        await read();
      }
    } catch {
      setText(error, t("error.unreachable"));
    }
    send.removeAttribute("aria-busy");
  });

  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    clearTimeout(timer);
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
  address.focus();
  try {
    await read();
  } catch {
    setText(error, t("error.unreachable"));
  }
}

/** @param {HTMLInputElement | HTMLSelectElement} input @param {string} label */
const field = (input, label) => element("div", { className: "field" }, element("label", { htmlFor: input.id }, label), input);

/** @param {Mails} found @param {(reader: Reader) => unknown} remove */
function readersOf({ readers, most_readers: most }, remove) {
  const title = element("h3", {}, t("insights.mail.readers"));
  const hint = element("p", { className: "field-hint" }, t("insights.mail.most", { n: most }));
  const items = readers.map((reader) => {
    const name = reader.address ?? "–";
    const button = element("button", { className: "button is-quiet", type: "button", "aria-label": t("insights.mail.remove.name", { address: name }) }, t("insights.mail.remove"));
    button.addEventListener("click", () => void remove(reader));
    const about = t("insights.mail.reader", { time: hourName(reader.hour), language: languageName(reader.language) });
    return element("li", {}, element("span", {}, element("bdi", { dir: "ltr" }, name), element("span", { className: "field-hint" }, about)), button);
  });
  return [title, ...(items.length > 0 ? [element("ul", { className: "mails-readers" }, ...items)] : [element("p", { className: "card-none" }, t("insights.mail.nobody"))]), hint];
}

/** @param {Mails} found @param {string} zone */
function mailsOf({ mails }, zone) {
  if (mails.length === 0) return [];
  const items = mails.map((mail) =>
    element(
      "li",
      {},
      element("span", {}, element("bdi", { dir: "ltr" }, mail.address ?? "–"), element("span", { className: "field-hint" }, `${monthText(mail.month)} · ${formatDate(mail.changed_at, zone)} ${formatTime(mail.changed_at, zone)}`)),
      element("span", { className: ["failed", "unknown", "withdrawn", "expired"].includes(mail.state) ? "mails-state is-trouble" : "mails-state" }, stateText(mail)),
    ),
  );
  return [element("h3", {}, t("insights.mail.last")), element("ul", { className: "mails-last" }, ...items)];
}
