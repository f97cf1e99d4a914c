/**
 * Who a change of several appointments reaches: a line for the dialog that asks before the change, and the list of patients
 * to phone after it. Load the texts (`loadPart("reach")`) and the style sheet `reach` first.
 */

import { element, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { dayOf, timeOf } from "../shared/local-time.js";
import { ask } from "../shared/staff-requests.js";

/**
 * @typedef {"moved" | "cancelled"} Kind
 * @typedef {{way: string, patients: number, parts: number}} ByWay
 * @typedef {{appointment_id: number, local_start: string, reason: string, name: string | null, phone: string | null, phone_shown: string | null}} ToPhone
 * @typedef {{patients: number, ways: ByWay[], phone: ToPhone[]}} Reached
 */

const MOST_AT_ONCE = 500; // as on the server

/** The line that tells who the messages of a change reach. */
export class ReachLine {
  #address;
  #turn = 0;
  element = element("p", { className: "reach-line", role: "status" });
  /** The last answer. @type {Promise<ToPhone[]>} */
  #untold = Promise.resolve([]);

  /** @param {number} siteId */
  constructor(siteId) {
    this.#address = `/api/v1/sites/${siteId}/messages/preview`;
  }

  /**
   * The patients that no message reaches, in the order of their times, once the server has said so. Ask before `clear`.
   * Without an answer nobody is in the list.
   */
  get untold() {
    return this.#untold;
  }

  /** Show nothing. */
  clear() {
    this.#turn += 1;
    this.#untold = Promise.resolve([]);
    setText(this.element, "");
  }

  /**
   * Show who messages about these appointments reach, by the kind of the change.
   *
   * @param {Partial<Record<Kind, number[]>>} change  the ids of the appointments
   */
  look(change) {
    this.#untold = this.#look(change);
  }

  /** @param {Partial<Record<Kind, number[]>>} change */
  async #look(change) {
    const mine = (this.#turn += 1);
    const questions = /** @type {[Kind, number[]][]} */ (Object.entries(change)).flatMap(([kind, ids]) => piecesOf(ids).map((each) => ({ kind, appointment_ids: each })));
    try {
      const answers = await Promise.all(questions.map((body) => ask(this.#address, { method: "POST", body })));
      const reached = /** @type {Reached[]} */ (answers.flatMap(({ body }) => body ?? []));
      if (mine === this.#turn) setText(this.element, reached.length < answers.length ? t("reach.unknown") : summaryOf(reached));
      return reached.flatMap(({ phone }) => phone).sort((one, other) => one.local_start.localeCompare(other.local_start));
    } catch {
      if (mine === this.#turn) setText(this.element, t("reach.unknown"));
      return [];
    }
  }
}

/** @param {number[]} ids */
const piecesOf = (ids) => Array.from({ length: Math.ceil(ids.length / MOST_AT_ONCE) }, (_, index) => ids.slice(index * MOST_AT_ONCE, (index + 1) * MOST_AT_ONCE));

/**
 * Return a sentence such as "37 patients: 31 by SMS in 44 parts, 4 by e-mail, 2 to phone", or nothing for no patients.
 *
 * @param {Reached[]} reached
 */
export function summaryOf(reached) {
  const n = reached.reduce((sum, each) => sum + each.patients, 0);
  if (n === 0) return "";
  const phone = reached.reduce((sum, each) => sum + each.phone.length, 0);
  const items = ["sms", "email", "push"].flatMap((way) => {
    const mine = reached.flatMap(({ ways }) => ways).filter((each) => each.way === way);
    const patients = mine.reduce((sum, each) => sum + each.patients, 0);
    const parts = mine.reduce((sum, each) => sum + each.parts, 0);
    return patients === 0 ? [] : [t(`reach.${way}`, { n: patients, parts: t("reach.parts", { n: parts }) })];
  });
  return t("reach.summary", { n, list: [...items, ...(phone === 0 ? [] : [t("reach.phone", { n: phone })])].join(t("reach.separator")) });
}

/**
 * Show the patients to phone, each with a box to tick off, until the user closes the list. Nothing shows without patients.
 *
 * @param {ToPhone[]} patients
 */
export function showPhoneList(patients) {
  if (patients.length === 0) return;
  const count = element("p", { className: "phone-count", role: "status" });
  const boxes = patients.map(({ appointment_id: id }) => element("input", { type: "checkbox", id: `phone-${id}` }));
  const rows = patients.map((patient, index) => rowOf(patient, /** @type {HTMLInputElement} */ (boxes[index])));
  const heading = element("h2", { id: "phone-list-title" }, t("reach.list.title", { n: patients.length }));
  const done = element("button", { type: "button", className: "button is-primary", "data-close": "" }, t("reach.list.done"));
  const dialog = element(
    "dialog",
    { id: "phone-list", className: "dialog is-wide", "aria-labelledby": heading.id },
    heading,
    element("p", { className: "dialog-lead" }, t("reach.list.lead")),
    element("ul", { className: "phone-list" }, ...rows),
    count,
    element("div", { className: "dialog-actions" }, done),
  );
  const ticked = () => setText(count, t("reach.list.told", { n: boxes.filter(({ checked }) => checked).length, of: patients.length }));
  for (const box of boxes) box.addEventListener("change", ticked);
  done.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  ticked();
  dialog.showModal();
}

/**
 * @param {ToPhone} patient
 * @param {HTMLInputElement} box
 */
function rowOf({ local_start: start, name, phone, phone_shown: shown, reason }, box) {
  const who = element("label", { className: "phone-who", htmlFor: box.id }, element("span", { className: "phone-time" }, timeOf(start)), element("bdi", {}, name ?? dayOf(start)));
  const number = phone === null ? element("span", { className: "phone-none" }, t("reach.list.no_number")) : element("a", { className: "phone-number", href: `tel:${phone}`, dir: "ltr" }, shown ?? phone);
  return element("li", { className: "phone-row" }, box, who, number, element("span", { className: "phone-why" }, t(`reach.why.${reason}`)));
}
