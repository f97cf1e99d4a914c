/** The first section: the first steps of a new clinic, which tick by themselves, and a trial with three test patients. */

import { errorMessage } from "../desk/error-messages.js";
import { RETRY_MS } from "../desk/staff-session.js";
import { Connection } from "../live/connection.js";
import { CommandFailed } from "../shared/commands.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { ownFactorNote } from "./own-factor.js";
import { trial } from "./trial.js";

/**
 * @typedef {import("./context.js").Context} Context
 * @typedef {import("../live/view.js").Cells} Cells
 * @typedef {"screen_paired" | "ticket_issued" | "ticket_called" | "colleague_added" | "poster_printed"} StepName
 * @typedef {object} Step
 * @property {StepName} id
 * @property {string} [href]  where somebody takes the step
 */

/** The first three lead to a called ticket. @type {Step[]} */
const STEPS = [
  { id: "screen_paired" },
  { id: "ticket_issued", href: "/reception" },
  { id: "ticket_called", href: "/reception" },
  { id: "colleague_added", href: "/admin/staff" },
  { id: "poster_printed" },
];
const CODE = /^[A-Z0-9]{6}$/;

/**
 * @param {HTMLElement} root
 * @param {Context} context
 */
export function open(root, context) {
  const steps = element("ol", { className: "first-steps" });
  const done = element("p", { className: "first-steps-done", role: "status" });
  const hide = element("button", { className: "button", type: "button" }, t("admin.start.hide"));
  const list = element("section", { className: "first-steps-card" }, done, steps, hide);
  hide.addEventListener("click", async () => {
    try {
      await context.send("hide-checklist", { site_id: context.site.id });
    } catch (error) {
      context.complain(error);
    }
  });
  // The day is no part of the set-up, which the page follows: the section follows the desk while it is open.
  const desk = new Connection(`/live/sites/${context.site.id}/desk`);
  context.signal.addEventListener("abort", () => desk.close());
  desk.addEventListener("state", () => {
    if (desk.refusal !== 401) return;
    const again = setTimeout(() => desk.open(), RETRY_MS); // the page itself refreshes the session, or leaves
    context.signal.addEventListener("abort", () => clearTimeout(again));
  });
  root.append(list, ownFactorNote(context), trial(context, desk));
  const pairing = pairingForm(context);
  desk.addEventListener("view", () => {
    const checklist = desk.view.cells.get("checklist");
    if (checklist === undefined) return;
    list.hidden = checklist.hidden;
    const left = STEPS.filter(({ id }) => !checklist[id]).length;
    setText(done, left === 0 ? t("admin.start.done") : t("admin.start.left", { n: left }));
    hide.hidden = left > 0;
    const first = STEPS.find(({ id }) => !checklist[id]);
    updateList(
      steps,
      STEPS,
      ({ id }) => id,
      (step) => makeStep(step, step.id === "screen_paired" ? pairing : wayOf(step, context)),
      (row, { id }) => {
        const isDone = checklist[id] === true;
        row.classList.toggle("is-done", isDone);
        if (first?.id === id) row.setAttribute("aria-current", "step");
        else row.removeAttribute("aria-current");
        setText(find(".first-step-state", row), isDone ? t("admin.start.is_done") : t("admin.start.is_open"));
        find(".first-step-way", row).hidden = isDone;
      },
    );
  });
  desk.open();
}

/**
 * Return the link to where somebody takes a step.
 *
 * @param {Step} step
 * @param {Context} context
 */
function wayOf({ id, href }, context) {
  const link = element("a", { className: "button", href: href === undefined ? "" : href + location.search }, t(`admin.start.${id}.go`));
  if (id === "poster_printed") {
    link.href = `/api/v1/sites/${context.site.id}/poster.pdf`;
    link.target = "_blank";
  }
  return link;
}

/**
 * @param {Step} step
 * @param {HTMLElement} inner  the way to take the step
 */
function makeStep({ id }, inner) {
  const way = element("div", { className: "first-step-way" }, inner);
  const row = element(
    "li",
    { className: "first-step" },
    element("span", { className: "first-step-mark", ariaHidden: "true" }),
    element("h2", {}, t(`admin.start.${id}`), " ", element("span", { className: "hidden first-step-state" })),
    element("p", { className: "first-step-how" }, t(`admin.start.${id}.how`, { address: `${location.host}/display` })),
    way,
  );
  row.dataset.step = id;
  return row;
}

/**
 * Return the form for the code that the screen shows. It pairs the first display without a screen, or a new one.
 *
 * @param {Context} context
 */
function pairingForm(context) {
  const code = element("input", { id: "first-code", className: "first-code", autocomplete: "off", maxLength: 9, spellcheck: false });
  code.setAttribute("autocapitalize", "characters");
  code.setAttribute("aria-describedby", "first-code-error");
  code.dir = "ltr";
  const error = element("p", { className: "field-error", id: "first-code-error", role: "alert" });
  const button = element("button", { className: "button is-primary", type: "submit" }, t("admin.start.pair"));
  const form = element(
    "form",
    { className: "first-pairing", noValidate: true, method: "post" },
    element("div", { className: "field" }, element("label", { htmlFor: "first-code" }, t("admin.start.code")), code),
    button,
    error,
  );
  code.addEventListener("input", () => complain(""));
  /** The display to pair. It stays the same after a wrong code. @type {number | undefined} */
  let added;
  /** @param {string} text */
  const complain = (text) => {
    setText(error, text);
    if (text) code.setAttribute("aria-invalid", "true");
    else code.removeAttribute("aria-invalid");
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-busy") === "true") return;
    const plain = code.value.replace(/[\s-]/g, "").toUpperCase();
    if (!CODE.test(plain)) {
      complain(t("admin.start.code.wrong"));
      code.focus();
      return;
    }
    button.setAttribute("aria-busy", "true");
    try {
      added ??= unusedDisplay(context.cells) ?? (await addDisplay(context));
      await context.ask(`/api/v1/pairings/${plain}`, { method: "POST", body: { device_id: added } });
      context.say(t("admin.start.paired"));
    } catch (failure) {
      complain(errorMessage(failure));
      code.focus();
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
  return form;
}

/**
 * Return the id of the first display that no screen uses, or null.
 *
 * @param {Cells} cells
 */
function unusedDisplay(cells) {
  for (const [key, cell] of cells) {
    if (key.startsWith("display:") && !cell.paired) return Number(key.slice("display:".length));
  }
  return null;
}

/** @param {Context} context */
async function addDisplay(context) {
  const taken = new Set(Array.from(context.cells.values(), ({ name }) => name));
  let name = t("admin.start.screen_name");
  for (let number = 2; taken.has(name); number += 1) name = `${t("admin.start.screen_name")} ${number}`;
  const answer = await context.send("add-display", { site_id: context.site.id, name });
  const id = answer.events.at(-1)?.display_id;
  if (id === undefined) throw new CommandFailed("internal_error", "");
  return id;
}
