/**
 * Fields that save by themselves. A field shows a value of the cells, and saves it when the user leaves the field or chooses.
 * An error stands beside the field. Text that the user is typing stays when somebody else changes the value: the field then
 * says what the value is now.
 */

import { errorMessage } from "../desk/error-messages.js";
import { CommandFailed } from "../shared/commands.js";
import { element, setText, updateList } from "../shared/dom.js";
import { t } from "../shared/i18n.js";

/**
 * @typedef {import("../live/view.js").Cells} Cells
 * @typedef {import("./context.js").Context} Context
 * @typedef {import("./context.js").Change} Change
 * @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Input
 */

/**
 * @template V
 * @typedef {object} Options
 * @property {string} label
 * @property {string} [hint]
 * @property {(cells: Cells) => V | undefined} read  the present value; undefined if its record is gone
 * @property {(value: V, before: V) => Change} save  the change for a new value, with its undo
 */

let made = 0;

/**
 * A field around an input: its label, its hint, its error, and a note about a change by somebody else.
 *
 * @template V
 */
class Field {
  #context;
  #input;
  #options;
  #parse;
  #show;
  #allowsNull;
  /** The value of the cells, as the page last knew it. @type {V | undefined} */
  #known;
  #saving = false;
  #error = element("p", { className: "field-error", role: "alert" });
  #note = element("p", { className: "field-note", role: "status" });

  /**
   * @param {Context} context
   * @param {Input} input
   * @param {Options<V>} options
   * @param {{parse: (text: string) => V | null, show: (value: V) => string, allowsNull?: boolean}} codec  `parse` returns
   *   null for a text that is no value, unless null is a value
   * @param {(input: Input, options: Options<V>) => HTMLElement} frame
   */
  constructor(context, input, options, { parse, show, allowsNull = false }, frame) {
    this.#context = context;
    this.#input = input;
    this.#options = options;
    this.#parse = parse;
    this.#show = show;
    this.#allowsNull = allowsNull;
    const id = `field-${(made += 1)}`;
    input.id = id;
    this.#error.id = `${id}-error`;
    this.#note.id = `${id}-note`;
    this.element = frame(input, options);
    const described = [this.#error.id, this.#note.id];
    if (options.hint !== undefined) {
      const hint = element("p", { className: "field-hint", id: `${id}-hint` }, options.hint);
      described.unshift(hint.id);
      this.element.append(hint);
    }
    input.setAttribute("aria-describedby", described.join(" "));
    this.element.append(this.#error, this.#note);
    input.addEventListener("change", () => void this.#commit());
    input.addEventListener("keydown", (event) => this.#key(/** @type {KeyboardEvent} */ (event)));
  }

  /** The text in the input. */
  get #text() {
    const input = this.#input;
    return input instanceof HTMLInputElement && input.type === "checkbox" ? String(input.checked) : input.value;
  }

  /** @param {string} text */
  #write(text) {
    const input = this.#input;
    if (input instanceof HTMLInputElement && input.type === "checkbox") input.checked = text === "true";
    else if (input.value !== text) input.value = text;
  }

  /** Whether the input has a text that is not saved. */
  get #typed() {
    return this.#known !== undefined && this.#text !== this.#show(this.#known);
  }

  /** Show the present value. @param {Cells} cells */
  update(cells) {
    const now = this.#options.read(cells);
    if (now === undefined) return;
    const text = this.#show(now);
    const before = this.#known === undefined ? undefined : this.#show(this.#known);
    if (text === before) return;
    const typed = this.#typed;
    this.#known = now;
    if (typed && !this.#saving && this.#text !== text) setText(this.#note, t("admin.field.changed", { value: this.#said(text) }));
    else {
      if (!this.#saving) this.#write(text);
      setText(this.#note, "");
    }
  }

  /** The words for a text of the input: the chosen option's, for a choice. @param {string} text */
  #said(text) {
    if (this.#input instanceof HTMLSelectElement) {
      return Array.from(this.#input.options).find(({ value }) => value === text)?.text ?? text;
    }
    return text === "" ? t("admin.field.empty") : text;
  }

  /** Escape takes the typed text back. @param {KeyboardEvent} event */
  #key(event) {
    if (event.key !== "Escape" || !this.#typed) return;
    event.preventDefault();
    this.#revert();
  }

  #revert() {
    if (this.#known !== undefined) this.#write(this.#show(this.#known));
    this.#complain("");
    setText(this.#note, "");
  }

  /** @param {string} text */
  #complain(text) {
    setText(this.#error, text);
    if (text) this.#input.setAttribute("aria-invalid", "true");
    else this.#input.removeAttribute("aria-invalid");
  }

  async #commit() {
    if (this.#saving || this.#known === undefined) return;
    const value = this.#parse(this.#text);
    const wrong = this.#input.validity.badInput || (value === null && !this.#allowsNull);
    if (wrong || !this.#input.checkValidity()) {
      this.#complain(this.#reason());
      return;
    }
    if (!this.#typed) {
      this.#revert();
      return;
    }
    const typed = this.#text;
    this.#saving = true;
    this.#input.setAttribute("aria-busy", "true");
    try {
      const answer = await this.#context.change(this.#options.save(/** @type {V} */ (value), this.#known));
      if (answer === null) this.#revert();
      else {
        this.#complain("");
        setText(this.#note, "");
        if (this.#text === typed) this.#write(this.#show(this.#known)); // as the server has it
      }
    } catch (error) {
      if (error instanceof CommandFailed && error.code === "nothing_changed") this.#revert();
      else this.#complain(errorMessage(error));
    }
    this.#saving = false;
    this.#input.removeAttribute("aria-busy");
    if (this.#text !== typed && this.#typed) void this.#commit(); // the user went on typing meanwhile
  }

  /** Why the browser refuses the text. */
  #reason() {
    const { validity } = this.#input;
    if (validity.valueMissing) return t("admin.field.required");
    const { min = "", max = "" } = /** @type {{min?: string, max?: string}} */ (this.#input);
    if (validity.rangeUnderflow || validity.rangeOverflow) return t("admin.field.range", { min, max });
    return t("admin.field.invalid");
  }
}

/**
 * @param {Input} input
 * @param {{label: string}} options
 */
const labelled = (input, { label }) => element("div", { className: "field" }, element("label", { htmlFor: input.id }, label), input);

/**
 * A line of text.
 *
 * @param {Context} context
 * @param {Options<string> & {maxLength?: number, required?: boolean, lang?: string}} options
 */
export function textField(context, options) {
  const { maxLength = 80, required = true, lang } = options;
  const input = element("input", { maxLength, required, lang: lang ?? null, autocomplete: "off" });
  return new Field(context, input, options, { parse: (text) => text.trim(), show: (value) => value }, labelled);
}

/**
 * A whole number. `unit` stands behind it.
 *
 * @param {Context} context
 * @param {Options<number> & {min?: number, max?: number, unit?: string}} options
 */
export function numberField(context, options) {
  const { min = 0, max = 240, unit } = options;
  const input = element("input", { type: "number", min: String(min), max: String(max), required: true });
  input.inputMode = "numeric";
  const parse = (/** @type {string} */ text) => (/^\s*\d+\s*$/.test(text) ? Number(text) : null);
  return new Field(context, input, options, { parse, show: String }, (made, { label }) => {
    const words = [made, ...(unit === undefined ? [] : [element("span", { className: "field-unit" }, unit)])];
    return element("div", { className: "field is-number" }, element("label", { htmlFor: made.id }, label), element("div", { className: "field-row" }, ...words));
  });
}

/**
 * A choice of texts, by their values.
 *
 * @param {Context} context
 * @param {Options<string> & {choices: readonly (readonly [value: string, text: string])[]}} options
 */
export function choiceField(context, options) {
  const input = element("select", {}, ...options.choices.map(([value, text]) => element("option", { value }, text)));
  const show = (/** @type {string} */ value) => {
    // A value that nobody offers, such as a zone of an older table, stays possible.
    if (!Array.from(input.options).some((each) => each.value === value)) input.append(element("option", { value }, value));
    return value;
  };
  return new Field(context, input, options, { parse: (text) => text, show }, labelled);
}

/**
 * A choice of a record of the site, or none. The choices follow the cells.
 *
 * @param {Context} context
 * @param {Options<number | null> & {choices: (cells: Cells) => readonly (readonly [id: number, name: string])[], none?: string}} options
 *   `none` is the text of no record; without it a record must be chosen
 */
export function recordField(context, options) {
  const input = element("select");
  const field = new Field(
    context,
    input,
    options,
    { parse: (text) => (text === "" ? null : Number(text)), show: (value) => (value === null ? "" : String(value)), allowsNull: true },
    labelled,
  );
  const update = (/** @type {Cells} */ cells) => {
    const chosen = input.value;
    const all = [...(options.none === undefined ? [] : [/** @type {const} */ (["", options.none])]), ...options.choices(cells)];
    const before = Array.from(input.options, ({ value, text }) => `${value}/${text}`).join("|");
    if (before !== all.map(([value, text]) => `${value}/${text}`).join("|")) {
      input.replaceChildren(...all.map(([value, text]) => element("option", { value: String(value) }, text)));
      input.value = chosen;
    }
    field.update(cells);
  };
  return { element: field.element, update };
}

/**
 * Yes or no.
 *
 * @param {Context} context
 * @param {Options<boolean>} options
 */
export function checkField(context, options) {
  const input = element("input", { type: "checkbox" });
  const codec = { parse: (/** @type {string} */ text) => text === "true", show: String };
  return new Field(context, input, options, codec, (made, { label }) =>
    element("div", { className: "field" }, element("label", { className: "check", htmlFor: made.id }, made, element("span", {}, label))),
  );
}

/**
 * Any number of choices. Each saves by itself. With `least`, the last ones stay chosen.
 *
 * @template {string | number} K
 * @param {Context} context
 * @param {Options<K[]> & {choices: (cells: Cells) => readonly (readonly [value: K, text: string])[], least?: number}} options
 */
export function checksField(context, { label, hint, read, save, choices, least = 0 }) {
  const id = `field-${(made += 1)}`;
  const list = element("div", { className: "choice-list" });
  const error = element("p", { className: "field-error", id: `${id}-error`, role: "alert" });
  const field = element("fieldset", { className: "choices field", "aria-describedby": error.id }, element("legend", {}, label), list);
  if (hint !== undefined) field.append(element("p", { className: "field-hint" }, hint));
  field.append(error);
  /** @type {K[]} */
  let known = [];
  const show = () => {
    for (const box of list.querySelectorAll("input")) box.checked = known.some((each) => String(each) === box.value);
  };
  const commit = async (/** @type {K} */ value, /** @type {boolean} */ checked) => {
    setText(error, "");
    const after = checked ? [...known, value] : known.filter((each) => each !== value);
    if (after.length < least) {
      setText(error, t("admin.field.least", { n: least }));
      show();
      return;
    }
    try {
      await context.change(save(after, known));
    } catch (refusal) {
      setText(error, errorMessage(refusal));
    }
    show();
  };
  const update = (/** @type {Cells} */ cells) => {
    const now = read(cells);
    if (now === undefined) return;
    known = now;
    updateList(
      list,
      choices(cells),
      ([value, text]) => `${value}/${text}`,
      ([value, text]) => {
        const box = element("input", { type: "checkbox", value: String(value) });
        box.addEventListener("change", () => void commit(value, box.checked));
        return element("label", { className: "choice" }, box, element("span", {}, text));
      },
      () => {},
    );
    show();
  };
  return { element: field, update };
}

/**
 * A time of day, in minutes after midnight.
 *
 * @param {Context} context
 * @param {Options<number>} options
 */
export function timeField(context, options) {
  const input = element("input", { type: "time", required: true });
  return new Field(context, input, options, { parse: minutesOf, show: clockText }, labelled);
}

/** Return minutes after midnight as a field of time has them: "08:30". @param {number} minutes */
export const clockText = (minutes) => `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;

/** Return the minutes after midnight, or null for another text. @param {string} text */
export function minutesOf(text) {
  const found = /^(\d\d):(\d\d)/.exec(text);
  return found === null ? null : Number(found[1]) * 60 + Number(found[2]);
}

/**
 * Return a group of fields under a heading. They follow the cells until the section closes.
 *
 * @param {Context} context
 * @param {string} title
 * @param {string} lead  a sentence below the title, or ""
 * @param {...{element: HTMLElement, update: (cells: Cells) => void}} fields
 */
export function group(context, title, lead, ...fields) {
  const heading = element("h2", { id: `group-${(made += 1)}` }, title);
  const parts = lead ? [heading, element("p", { className: "group-lead" }, lead)] : [heading];
  const box = element("div", { className: "group-fields" }, ...fields.map((each) => each.element));
  context.onView((cells) => fields.forEach((each) => each.update(cells)));
  return element("section", { className: "group", "aria-labelledby": heading.id }, ...parts, box);
}
