/** A list of records of one kind: each opens to its fields. The order changes by dragging and by keys. */

import { errorMessage } from "../desk/error-messages.js";
import { allOf, byPosition } from "../live/cells.js";
import { CommandFailed } from "../shared/commands.js";
import { element, find, icon, setText, updateList } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { showUsers } from "./confirm.js";

/**
 * @typedef {import("../live/view.js").Cells} Cells
 * @typedef {import("./context.js").Context} Context
 * @typedef {{element: HTMLElement, update: (cells: Cells) => void}} Part
 * @typedef {{id: number, name: string, position?: number}} Listed
 */

const GRIP = "M9 6h.01M15 6h.01M9 12h.01M15 12h.01M9 18h.01M15 18h.01";
const UP = "M12 19V5m-6 6 6-6 6 6";
const DOWN = "M12 5v14m6-6-6 6-6-6";

/**
 * @typedef {object} Kind
 * @property {string} kind    of the cells: `queue`
 * @property {string} title
 * @property {string} [lead]
 * @property {string} empty   the text of an empty list
 * @property {(id: number, cells: Cells) => Part[]} parts  the content of a record that is open
 * @property {(id: number) => Part} [above]  a part that is seen while the record is closed, too
 * @property {(id: number) => {text: string, run: (name: string) => unknown, when?: (cells: Cells) => boolean}[]} [actions]
 * @property {(cell: any, cells: Cells) => {mark?: Node | null, notes: string[], warning?: string}} summary  what the row says
 *   beside the name
 * @property {(cells: Cells) => string} [version]  the content is made again when this text changes
 * @property {HTMLElement} form  adds a record
 * @property {boolean} [fixed]   the records have no order of their own
 */

/**
 * Return the list with its heading and its form.
 *
 * @param {Context} context
 * @param {Kind} kind
 * @returns {HTMLElement}
 */
export function recordList(context, kind) {
  const heading = element("h2", { id: `list-${kind.kind}` }, kind.title);
  const list = element("ol", { className: "records", "aria-labelledby": heading.id });
  const empty = element("p", { className: "records-empty" }, kind.empty);
  const lead = kind.lead === undefined ? [] : [element("p", { className: "group-lead" }, kind.lead)];
  const rows = new Map(/** @type {[number, Row][]} */ ([]));
  const ids = () => allOf(context.cells, kind.kind).sort(inOrder).map(({ id }) => id);
  const arrange = async (/** @type {number[]} */ order) => {
    const before = ids();
    if (order.join() === before.join()) return;
    const orderOf = (/** @type {number[]} */ record_ids) => ({ command: "arrange", body: { site_id: context.site.id, record_ids } });
    try {
      await context.change({ ...orderOf(order), undo: orderOf(before), said: t("admin.moved") });
    } catch (error) {
      context.complain(error);
    }
  };
  context.onView((cells) => {
    const records = /** @type {Listed[]} */ (allOf(cells, kind.kind)).sort(inOrder);
    empty.hidden = records.length > 0;
    list.hidden = records.length === 0;
    const version = kind.version?.(cells) ?? "";
    updateList(
      list,
      records,
      ({ id }) => `${id}/${version}`,
      ({ id }) => {
        const open = rows.get(id)?.open ?? false;
        const row = new Row(context, kind, id, (step) => {
          const order = ids();
          const at = order.indexOf(id);
          order.splice(at, 1);
          order.splice(Math.max(0, at + step), 0, id);
          void arrange(order);
        });
        row.open = open;
        rows.set(id, row);
        return row.element;
      },
      (_, { id }) => rows.get(id)?.update(cells),
    );
  });
  if (!kind.fixed) dragRows(list, ids, (order) => void arrange(order));
  return element("section", { className: "group", "aria-labelledby": heading.id }, heading, ...lead, empty, list, kind.form);
}

/** @param {object} one @param {object} other */
const inOrder = (one, other) =>
  byPosition({ position: 0, .../** @type {Listed} */ (one) }, { position: 0, .../** @type {Listed} */ (other) }) ||
  /** @type {Listed} */ (one).id - /** @type {Listed} */ (other).id;

/** One record of the list. */
class Row {
  #kind;
  #id;
  /** @type {Part[] | null} */
  #parts = null;
  /** @type {{button: HTMLButtonElement, when: (cells: Cells) => boolean}[]} */
  #actions = [];
  #context;
  /** @type {Part | null} */
  #above;
  #name = element("span", { className: "record-name" });
  #mark = element("span", { className: "record-mark" });
  #notes = element("span", { className: "record-notes" });
  #warning = element("span", { className: "record-warning" });
  #body = element("div", { className: "record-body" });
  #details;

  /**
   * @param {Context} context
   * @param {Kind} kind
   * @param {number} id
   * @param {(step: number) => void} move
   */
  constructor(context, kind, id, move) {
    this.#context = context;
    this.#kind = kind;
    this.#id = id;
    const summary = element("summary", {}, this.#mark, this.#name, this.#notes, this.#warning);
    this.#details = element("details", { className: "record-details" }, summary, this.#body);
    this.#details.addEventListener("toggle", () => this.#fill());
    this.element = element("li", { className: "record" });
    this.element.dataset.record = String(id);
    if (!kind.fixed) {
      const grip = element("span", { className: "record-grip", title: t("admin.drag"), "aria-hidden": "true" }, icon(GRIP));
      grip.dataset.grip = "";
      this.element.append(grip);
    }
    this.#above = kind.above?.(id) ?? null;
    if (this.#above !== null) this.element.append(this.#above.element);
    this.element.append(this.#details);
    this.#body.addEventListener("keydown", (event) => event.stopPropagation());
    this.#details.addEventListener("keydown", (event) => {
      const step = event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : 0;
      if (step === 0 || !event.altKey || kind.fixed) return;
      event.preventDefault();
      move(step);
    });
    this.#move = move;
  }

  #move;

  get open() {
    return this.#details.open;
  }

  set open(open) {
    this.#details.open = open;
    if (open) this.#fill();
  }

  /** Make the content of the record when it is first seen. */
  #fill() {
    if (this.#parts !== null || !this.#details.open) return;
    const { cells } = this.#context;
    this.#parts = this.#kind.parts(this.#id, cells);
    const actions = element("div", { className: "record-actions" });
    const add = (/** @type {HTMLElement} */ button) => actions.append(button);
    if (!this.#kind.fixed) {
      for (const [step, path, text] of /** @type {const} */ ([[-1, UP, "admin.move.up"], [1, DOWN, "admin.move.down"]])) {
        const button = element("button", { className: "button is-quiet", type: "button" }, icon(path), t(text));
        button.dataset.move = String(step);
        button.addEventListener("click", () => this.#move(step));
        add(button);
      }
    }
    for (const { text, run, when = () => true } of this.#kind.actions?.(this.#id) ?? []) {
      const button = element("button", { className: "button is-quiet", type: "button" }, text);
      button.addEventListener("click", () => void run(this.#name.textContent ?? ""));
      this.#actions.push({ button, when });
      add(button);
    }
    this.#body.append(element("div", { className: "group-fields" }, ...this.#parts.map((part) => part.element)), actions);
    this.update(cells);
  }

  /** @param {Cells} cells */
  update(cells) {
    const cell = cells.get(`${this.#kind.kind}:${this.#id}`);
    if (cell === undefined) return;
    const { mark = null, notes, warning = "" } = this.#kind.summary(cell, cells);
    setText(this.#name, cell.public_name ?? cell.name);
    this.#mark.replaceChildren(...(mark === null ? [] : [mark]));
    setText(this.#notes, notes.filter(Boolean).join(" · "));
    setText(this.#warning, warning);
    this.#above?.update(cells);
    for (const part of this.#parts ?? []) part.update(cells);
    for (const { button, when } of this.#actions) button.hidden = !when(cells);
  }
}

/**
 * Let the user drag rows by their grips to another place.
 *
 * @param {HTMLElement} list
 * @param {() => number[]} ids
 * @param {(order: number[]) => void} arrange
 */
function dragRows(list, ids, arrange) {
  list.addEventListener("pointerdown", (event) => {
    const grip = event.target instanceof Element ? event.target.closest("[data-grip]") : null;
    const row = grip?.closest(".record");
    if (!(row instanceof HTMLElement) || event.button !== 0) return;
    event.preventDefault();
    row.setPointerCapture(event.pointerId);
    row.classList.add("is-dragged");
    const before = ids();
    const move = (/** @type {PointerEvent} */ { clientY }) => {
      for (const other of list.children) {
        if (other === row) continue;
        const { top, height } = other.getBoundingClientRect();
        const follows = row.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING;
        if (follows && clientY > top + height / 2) other.after(row);
        else if (!follows && clientY < top + height / 2) {
          other.before(row);
          break;
        }
      }
    };
    const end = (/** @type {PointerEvent} */ ended) => {
      row.removeEventListener("pointermove", move);
      row.classList.remove("is-dragged");
      const order = Array.from(list.children, (each) => Number(/** @type {HTMLElement} */ (each).dataset.record));
      if (ended.type === "pointerup") arrange(order);
      else for (const id of before) list.append(find(`[data-record="${id}"]`, list));
    };
    row.addEventListener("pointermove", move);
    for (const type of /** @type {const} */ (["pointerup", "pointercancel"])) row.addEventListener(type, end, { once: true });
  });
}

/**
 * Remove a record after a question. If people or other records depend on it, list them instead.
 *
 * @param {Context} context
 * @param {number} id
 * @param {string} name
 */
export async function removeRecord(context, id, name) {
  try {
    await context.change({
      command: "remove",
      body: { record_id: id },
      said: t("admin.removed", { name }),
      question: { title: t("admin.remove.title", { name }), lead: t("admin.remove.lead"), yes: t("admin.remove") },
      always: true,
    });
  } catch (error) {
    if (error instanceof CommandFailed && error.code === "in_use") await showUsers(name, error.details);
    else context.complain(error);
  }
}

/**
 * @typedef {object} AddField
 * @property {string} name
 * @property {string} label
 * @property {string} [hint]
 * @property {number} [maxLength]
 * @property {string} [pattern]
 * @property {string} [error]   the text for a value that is missing or wrong
 * @property {(text: string) => string} [read]
 * @property {boolean} [required]  true without it
 */

/**
 * Return a form that adds a record. The undo removes the record again.
 *
 * @param {Context} context
 * @param {{title: string, command: string, fields: AddField[],
 *   body: (values: Record<string, string>, cells: Cells) => Record<string, unknown> | null,
 *   then?: (values: Record<string, string>, record: number) => Promise<unknown>}} options  `body` returns null while the
 *   record cannot be added; `then` goes on with the new record
 * @returns {HTMLFormElement}
 */
export function addForm(context, { title, command, fields, body, then }) {
  const form = element("form", { className: "add-row", noValidate: true, "aria-label": title });
  const made = fields.map((field) => {
    const id = `add-${command}-${field.name}`;
    const input = element("input", { id, name: field.name, required: field.required ?? true, maxLength: field.maxLength ?? 80, pattern: field.pattern ?? null, autocomplete: "off", "aria-describedby": `${id}-error` });
    const error = element("p", { className: "field-error", id: `${id}-error`, role: "alert" });
    const hint = field.hint === undefined ? [] : [element("p", { className: "field-hint" }, field.hint)];
    const box = element("div", { className: "field" }, element("label", { htmlFor: id }, field.label), input, ...hint, error);
    if ((field.maxLength ?? 80) < 5) box.classList.add("is-short");
    form.append(box);
    return { field, input, error };
  });
  const submit = element("button", { className: "button", type: "submit" }, title);
  form.append(submit);
  const complain = (/** @type {number} */ index, /** @type {string} */ text) => {
    const { input, error } = made[index] ?? {};
    if (input === undefined || error === undefined) return;
    setText(error, text);
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    if (text) input.focus();
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submit.getAttribute("aria-busy") === "true") return;
    const values = Object.fromEntries(made.map(({ field, input }) => [field.name, (field.read ?? ((text) => text.trim()))(input.value)]));
    made.forEach(({ field, input }, index) => {
      input.value = values[field.name] ?? "";
      complain(index, "");
    });
    for (let index = made.length - 1; index >= 0; index -= 1) {
      const { field, input } = /** @type {(typeof made)[0]} */ (made[index]);
      if (!input.checkValidity()) complain(index, field.error ?? t("admin.field.required"));
    }
    if (made.some(({ input }) => !input.checkValidity())) return;
    const sent = body(values, context.cells);
    if (sent === null) return;
    submit.setAttribute("aria-busy", "true");
    try {
      const answer = await context.change({
        command,
        body: { site_id: context.site.id, ...sent },
        said: t("admin.added", { name: values[made[0]?.field.name ?? ""] ?? "" }),
        undo: (added) => ({ command: "remove", body: { record_id: addedIn(added, command) } }),
      });
      form.reset();
      if (answer !== null) await then?.(values, addedIn(answer, command));
      made[0]?.input.focus();
    } catch (error) {
      complain(0, errorMessage(error));
    }
    submit.removeAttribute("aria-busy");
  });
  return form;
}

/**
 * Return the id of the record that a command has added.
 *
 * @param {import("../shared/commands.js").Answer} answer
 * @param {string} command  such as `add-queue`
 */
function addedIn({ events }, command) {
  const kind = command.replace("add-", "");
  const added = /** @type {Record<string, any>} */ (events.find(({ type }) => type === `${kind}-added`) ?? {});
  return Number(added[`${kind}_id`]);
}
