/** The secret addresses with which calendar programs read the appointments of the chosen clinician. */

import { errorMessage } from "../desk/error-messages.js";
import { element, setText } from "../shared/dom.js";
import { formatTime, t } from "../shared/i18n.js";
import { namesOfActors } from "./actors.js";
import { secretRow, showOnce } from "./secrets.js";
import { fullDateOf } from "./site-date.js";

/**
 * @typedef {import("../live/view.js").Cells} Cells
 * @typedef {import("./context.js").Context} Context
 * @typedef {{id: number, made_by: string, made_at: number}} Feed
 */

const PROGRAMS = ["iphone", "google", "outlook"];

/**
 * Return the list of the addresses of the chosen clinician.
 *
 * @param {Context} context
 * @param {{provider: number}} chosen
 */
export function calendarFeedsGroup(context, chosen) {
  const group = new CalendarFeeds(context);
  return { element: group.element, update: (/** @type {Cells} */ cells) => group.update(cells, chosen.provider) };
}

/** Addresses are no part of the live view: the group reads them when another clinician is chosen, and after each change. */
class CalendarFeeds {
  #context;
  #provider = 0;
  #name = "";
  /** The number of the latest read. The answer of an earlier one may belong to another clinician. */
  #reads = 0;
  #names = /** @type {Map<string, string>} */ (new Map());
  #heading = element("h2", { id: "feeds-title" });
  #list = element("ul", { className: "records", "aria-labelledby": "feeds-title", hidden: true });
  #empty = element("p", { className: "records-empty", hidden: true }, t("admin.feeds.empty"));
  #trouble = element("p", { className: "record-remedy", role: "alert" });
  #again = element("button", { className: "button", type: "button", hidden: true }, t("admin.feeds.again"));
  #add = element("button", { className: "button", type: "button" }, t("admin.feeds.add"));

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
    this.#names.set(`staff:${context.user.id}`, context.user.username);
    this.#again.addEventListener("click", () => void this.#read());
    this.#add.addEventListener("click", () => void this.#make());
    this.element = element(
      "section",
      { className: "group calendar-feeds", "aria-labelledby": this.#heading.id },
      element("div", { className: "group-head" }, this.#heading, this.#add),
      element("p", { className: "group-lead" }, t("admin.feeds.lead")),
      this.#trouble,
      element("p", {}, this.#again),
      this.#empty,
      this.#list,
    );
  }

  /** @param {Cells} cells @param {number} provider */
  update(cells, provider) {
    this.#name = cells.get(`provider:${provider}`)?.name ?? "";
    setText(this.#heading, t("admin.feeds", { name: this.#name }));
    if (provider === this.#provider) return;
    this.#provider = provider;
    this.#list.hidden = this.#empty.hidden = true;
    if (provider !== 0) void this.#read();
  }

  get #address() {
    return `/api/v1/providers/${this.#provider}/calendar-feeds`;
  }

  /** Read the addresses and show them, or the reason why not. */
  async #read() {
    const read = (this.#reads += 1);
    this.element.setAttribute("aria-busy", "true");
    let trouble = "";
    /** @type {Feed[]} */
    let feeds = [];
    try {
      feeds = (await this.#context.ask(this.#address)).data;
      if (feeds.some(({ made_by: actor }) => !this.#names.has(actor))) {
        for (const [actor, name] of await namesOfActors(this.#context)) this.#names.set(actor, name);
      }
    } catch (error) {
      trouble = errorMessage(error);
    }
    if (read !== this.#reads || this.#context.signal.aborted) return;
    this.element.removeAttribute("aria-busy");
    setText(this.#trouble, trouble && t("admin.feeds.trouble", { reason: trouble }));
    const failed = trouble !== "";
    this.#again.hidden = !failed;
    this.#list.hidden = failed || feeds.length === 0;
    this.#empty.hidden = failed || feeds.length > 0;
    this.#list.replaceChildren(...feeds.map((feed) => this.#row(feed)));
  }

  /** @param {Feed} feed */
  #row({ id, made_by: actor, made_at: at }) {
    const { zone } = this.#context;
    const when = { day: fullDateOf(at, zone), time: formatTime(at, zone) };
    return secretRow(this.#context, t("admin.feeds.since", when), [t("admin.feeds.by", { name: this.#names.get(actor) ?? actor })], {
      text: t("admin.feeds.end"),
      title: t("admin.feeds.end.title", when),
      lead: t("admin.feeds.end.lead", { name: this.#name }),
      address: `${this.#address}/${id}`,
      after: async (ended) => {
        if (ended) this.#context.say(t("admin.feeds.ended"));
        await this.#read();
        this.#add.focus(); // the row with the focus is gone
      },
    });
  }

  /** Make an address and show it. After a refusal the list is read again: the address may be made, and only the answer lost. */
  async #make() {
    if (this.#add.getAttribute("aria-busy") === "true") return;
    this.#add.setAttribute("aria-busy", "true");
    const name = this.#name;
    try {
      const { address } = await this.#context.ask(this.#address, { method: "POST" });
      void this.#read();
      this.#add.removeAttribute("aria-busy");
      await showAddress(address, name);
    } catch (error) {
      if (this.#context.signal.aborted) return;
      this.#context.complain(error);
      void this.#read();
    }
    this.#add.removeAttribute("aria-busy");
  }
}

/**
 * Show a new address with the steps for the usual calendar programs.
 *
 * @param {string} address
 * @param {string} name  of the clinician
 */
function showAddress(address, name) {
  const steps = PROGRAMS.flatMap((each) => [element("dt", {}, t(`admin.feeds.in.${each}`)), element("dd", {}, t(`admin.feeds.in.${each}.steps`))]);
  return showOnce("feed", address, {
    title: t("admin.feeds.made", { name }),
    lead: t("admin.feeds.made.lead"),
    label: t("admin.feeds.address"),
    copy: t("admin.feeds.copy"),
    copied: t("admin.feeds.copied"),
    before: [element("p", { className: "feed-warning" }, t("admin.feeds.warning", { name }))],
    after: [element("dl", { className: "feed-steps" }, ...steps), element("p", { className: "field-hint" }, t("admin.feeds.reading"))],
  });
}
