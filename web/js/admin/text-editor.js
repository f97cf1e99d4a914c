/** The editor of one template: a tab for each language, the text with its placeholders, and the message that it makes. */

import { errorMessage } from "../desk/error-messages.js";
import { element, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { confirmChange } from "./confirm.js";
import { directionOf, ownName, templateName } from "./text-names.js";

/**
 * @typedef {import("./context.js").Context} Context
 * @typedef {import("./message-texts.js").Template} Template
 * @typedef {import("./message-texts.js").MessageText} MessageText
 * @typedef {{sms: string, encoding: string, units: number, parts: number, most_parts: number, subject: string, text: string}} Message
 * @typedef {{code: string, value: string}} Problem
 */

const ASK_MS = 250;
const LONGEST_TEXT = 600; // as on the server

export class TextEditor {
  #context;
  #address;
  #saved;
  #heading = element("h2", { id: "text-title", tabIndex: -1 });
  #tabs = element("div", { className: "text-tabs", role: "tablist", "aria-label": t("admin.texts.languages") });
  #input = element("textarea", { id: "message-text", rows: 5, maxLength: LONGEST_TEXT });
  #placeholders = element("div", { className: "button-row text-placeholders", role: "group", "aria-label": t("admin.texts.placeholders") });
  #hint = element("p", { className: "field-hint", id: "message-text-hint" });
  #problem = element("p", { className: "field-error", id: "message-text-problem", role: "alert" });
  #count = element("p", { className: "text-count", role: "status" });
  #save = element("button", { className: "button is-primary", type: "button" }, t("admin.texts.save"));
  #reset = element("button", { className: "button", type: "button" }, t("admin.texts.reset"));
  #bubble = element("p", { className: "text-bubble" });
  #subject = element("p", { className: "text-subject" });
  #mail = element("p", { className: "text-mail" });
  /** What the user has typed and not saved, by template and language. @type {Map<string, string>} */
  #drafts = new Map();
  /** @type {Template | null} */
  #template = null;
  #language = "";
  #turn = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {Context} context
   * @param {string} address  of the site's texts
   * @param {() => Promise<void>} saved  reads all texts again, and shows them
   */
  constructor(context, address, saved) {
    this.#context = context;
    this.#address = address;
    this.#saved = saved;
    const label = element("label", { htmlFor: this.#input.id }, t("admin.texts.text"));
    this.#input.setAttribute("aria-describedby", `${this.#hint.id} ${this.#problem.id}`);
    const panel = element(
      "div",
      { className: "text-panel", id: "text-panel", role: "tabpanel" },
      element(
        "div",
        { className: "text-form" },
        element("div", { className: "field" }, label, this.#input, this.#hint, this.#problem),
        this.#placeholders,
        this.#count,
        element("div", { className: "button-row" }, this.#save, this.#reset),
      ),
      element(
        "div",
        { className: "text-previews", role: "group", "aria-label": t("admin.texts.preview") },
        element("h3", {}, t("admin.channels.way.sms")),
        element("div", { className: "text-phone" }, this.#bubble),
        element("h3", {}, t("admin.texts.mail")),
        element("div", { className: "text-letter" }, this.#subject, this.#mail),
        element("p", { className: "field-hint" }, t("admin.texts.sample")),
      ),
    );
    this.element = element("section", { className: "text-editor", "aria-labelledby": this.#heading.id }, this.#heading, this.#tabs, panel);
    this.#input.addEventListener("input", () => this.#typed());
    this.#save.addEventListener("click", () => void this.#store());
    this.#reset.addEventListener("click", () => void this.#useShipped());
    this.#tabs.addEventListener("keydown", (event) => this.#step(event));
    context.signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /** The name of the template that is open. */
  get template() {
    return this.#template?.name;
  }

  /** Move the focus to the heading, after another template was chosen. */
  focus() {
    this.#heading.focus({ preventScroll: true });
    this.#heading.scrollIntoView({ block: "nearest" });
  }

  /** @param {Template} template */
  show(template) {
    this.#template = template;
    if (!template.texts.some(({ language }) => language === this.#language)) this.#language = template.texts[0]?.language ?? "";
    setText(this.#heading, templateName(template.name));
    const focused = this.#tabs.contains(document.activeElement);
    this.#tabs.replaceChildren(...template.texts.map((each) => this.#tabOf(each)));
    if (focused) this.#selectedTab()?.focus();
    this.#placeholders.replaceChildren(...[...template.needed, ...template.others].map((name) => this.#placeholderOf(name, template.needed.includes(name))));
    this.#fill();
  }

  /** The text in the language that is open. @returns {MessageText | undefined} */
  get #text() {
    return this.#template?.texts.find(({ language }) => language === this.#language);
  }

  get #key() {
    return `${this.template} ${this.#language}`;
  }

  /** @param {MessageText} text */
  #tabOf({ language, own }) {
    const chosen = language === this.#language;
    const tab = element("button", { className: "text-tab", type: "button", role: "tab", id: `text-tab-${language}`, lang: language, tabIndex: chosen ? 0 : -1, "aria-selected": String(chosen), "aria-controls": "text-panel" }, ownName(language));
    if (own !== null) tab.append(element("span", { className: "text-note", lang: document.documentElement.lang }, t("admin.texts.own")));
    tab.dataset.language = language;
    tab.addEventListener("click", () => this.#choose(language));
    return tab;
  }

  #selectedTab() {
    return /** @type {HTMLElement | null} */ (this.#tabs.querySelector('[aria-selected="true"]'));
  }

  /** @param {string} language */
  #choose(language) {
    this.#language = language;
    for (const tab of /** @type {NodeListOf<HTMLElement>} */ (this.#tabs.querySelectorAll("[role=tab]"))) {
      const chosen = tab.dataset.language === language;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
    this.#fill();
  }

  /** Go to the next or the previous tab. @param {KeyboardEvent} event */
  #step(event) {
    const tabs = /** @type {HTMLElement[]} */ (Array.from(this.#tabs.children));
    const onward = this.#tabs.matches(":dir(rtl)") ? "ArrowLeft" : "ArrowRight";
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -tabs.length, End: tabs.length };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (step === undefined) return;
    event.preventDefault();
    const ahead = event.key.startsWith("Arrow") ? (event.key === onward ? 1 : -1) : step;
    const at = tabs.findIndex((tab) => tab.dataset.language === this.#language) + ahead;
    const next = tabs[Math.max(0, Math.min(tabs.length - 1, at))];
    if (next === undefined) return;
    this.#choose(next.dataset.language ?? "");
    next.focus();
  }

  /** @param {string} name @param {boolean} needed */
  #placeholderOf(name, needed) {
    const label = t(`admin.texts.placeholder.${name}`);
    const button = element("button", { className: "button", type: "button" }, needed ? t("admin.texts.needed", { name: label }) : label);
    button.dataset.placeholder = name;
    button.addEventListener("click", () => {
      this.#input.focus();
      this.#input.setRangeText(`{${name}}`, this.#input.selectionStart, this.#input.selectionEnd, "end");
      this.#typed();
    });
    return button;
  }

  /** Show the text of the open template and language, or what the user has typed. */
  #fill() {
    const text = this.#text;
    const present = text?.own ?? text?.shipped ?? "";
    this.#input.value = this.#drafts.get(this.#key) ?? present;
    this.#input.lang = this.#language;
    for (const each of [this.#input, this.#bubble, this.#subject, this.#mail]) each.dir = directionOf(this.#language);
    for (const each of [this.#bubble, this.#subject, this.#mail]) each.lang = this.#language;
    /** @type {HTMLElement} */ (this.element.querySelector("#text-panel")).setAttribute("aria-labelledby", `text-tab-${this.#language}`);
    const first = this.#template?.texts[0]?.language ?? "";
    setText(this.#hint, text?.own ? t("admin.texts.is_own") : t(text?.shipped ? "admin.texts.is_shipped" : "admin.texts.is_missing", { language: ownName(first) }));
    this.#reset.hidden = text?.own === null;
    setText(this.#reset, t(text?.shipped ? "admin.texts.reset" : "admin.texts.remove"));
    this.#save.disabled = true;
    void this.#preview();
  }

  #typed() {
    const text = this.#text;
    if (this.#input.value === (text?.own ?? text?.shipped ?? "")) this.#drafts.delete(this.#key);
    else this.#drafts.set(this.#key, this.#input.value);
    this.#save.disabled = true; // until the server has counted the parts
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#preview(), ASK_MS);
  }

  get #place() {
    return `${this.#address}/${encodeURIComponent(this.template ?? "")}/${encodeURIComponent(this.#language)}`;
  }

  /** Ask for the message of the text as it stands, and show it. */
  async #preview() {
    const mine = (this.#turn += 1);
    const text = this.#input.value.trim();
    if (text === "") {
      this.#showMessage(null, null);
      return;
    }
    try {
      const { message, problem } = await this.#context.ask(`${this.#place}/preview`, { method: "POST", body: { text } });
      if (mine === this.#turn) this.#showMessage(message, problem);
    } catch (refusal) {
      if (this.#context.signal.aborted || mine !== this.#turn) return;
      setText(this.#problem, errorMessage(refusal));
    }
  }

  /** @param {Message | null} message @param {Problem | null} problem */
  #showMessage(message, problem) {
    setText(this.#problem, problem === null ? "" : t(`admin.texts.problem.${problem.code}`, { value: problem.value }));
    if (problem === null) this.#input.removeAttribute("aria-invalid");
    else this.#input.setAttribute("aria-invalid", "true");
    setText(this.#bubble, message?.sms ?? "");
    setText(this.#subject, message?.subject ?? "");
    setText(this.#mail, message?.text ?? "");
    setText(this.#count, message === null ? "" : [t(`admin.texts.count.${message.encoding}`, { n: message.units }), t("admin.texts.parts", { n: message.parts }), ...(message.most_parts > message.parts && problem === null ? [t("admin.texts.most_parts", { n: message.most_parts })] : [])].join(" "));
    this.#save.disabled = problem !== null || message === null || !this.#drafts.has(this.#key);
  }

  async #store() {
    const [text, before, place, key] = [this.#input.value.trim(), this.#text?.own ?? null, this.#place, this.#key];
    await this.#change(key, () => this.#put(place, text), () => (before === null ? this.#remove(place) : this.#put(place, before)));
  }

  async #useShipped() {
    const [before, place, key] = [this.#text?.own ?? "", this.#place, this.#key];
    const question = { title: t("admin.texts.reset.title"), lead: before, yes: this.#reset.textContent ?? "" };
    if (await confirmChange([], question)) await this.#change(key, () => this.#remove(place), () => this.#put(place, before));
  }

  /**
   * Make a change of a text, and offer the inverse.
   *
   * @param {string} key  the draft that the change ends
   * @param {() => Promise<unknown>} run
   * @param {() => Promise<unknown>} inverse
   */
  async #change(key, run, inverse) {
    try {
      await run();
      this.#drafts.delete(key);
      this.#context.say(t("admin.saved"), async () => {
        await inverse();
        await this.#saved();
      });
      await this.#saved();
    } catch (refusal) {
      if (!this.#context.signal.aborted) this.#context.complain(refusal);
    }
  }

  /** @param {string} place @param {string} text */
  #put(place, text) {
    return this.#context.ask(place, { method: "PUT", body: { text } });
  }

  /** @param {string} place */
  #remove(place) {
    return this.#context.ask(place, { method: "DELETE" });
  }
}
