import { element, find, setText } from "../shared/dom.js";
import { currentLanguage, t } from "../shared/i18n.js";

const CODE_SIGNS = "ACDEFGHJKMNPQRTUVWXY34679"; // the alphabet of every code that this product makes
const DIGITS = "1234567890";
const LETTERS = { ar: "ابتثجحخدذرزسشصضطظعغفقكلمنهوي", es: "ABCDEFGHIJKLMNÑOPQRSTUVWXYZ" };
const LATIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DATE_LENGTH = 8;
const LONGEST_CODE = 8;
const LONGEST_INITIALS = 2;
const OLDEST_YEAR = 1900;

/**
 * @typedef {"choose" | "code" | "birth" | "initials"} Step
 * @typedef {{code: string} | {date_of_birth: string, initials: string}} Claim
 */

/** The check-in of a patient with an appointment: by a code, or by the date of birth and initials. */
export class CheckIn {
  /** @type {Step} */
  step = "choose";
  #typed = "";
  #birth = "";
  #send;

  /** @param {(claim: Claim) => void} send */
  constructor(send) {
    this.#send = send;
  }

  /** Begin. @param {"off" | "code" | "birth"} ways */
  start(ways) {
    this.#go(ways === "birth" ? "choose" : "code");
    this.#birth = "";
  }

  /** Forget what was typed, on the page too. */
  clear() {
    this.#typed = this.#birth = "";
    setText(find("[data-typed]"), "");
    this.step = "choose";
  }

  /** React to a button of the part. @param {HTMLElement} button */
  act({ dataset }) {
    if (dataset.step !== undefined) this.#go(/** @type {Step} */ (dataset.step));
    else if (dataset.key !== undefined) this.#type(dataset.key);
    else if (dataset.erase !== undefined) this.#typed = this.#typed.slice(0, -1);
    else if (dataset.confirm !== undefined) this.#confirm();
    this.paint();
  }

  /** Show the step. */
  paint() {
    const part = find('[data-screen="check-in"]');
    part.dataset.step = this.step;
    const typing = this.step !== "choose";
    find("[data-ways]", part).hidden = typing;
    find("[data-entry]", part).hidden = find("[data-keys]", part).hidden = find("[data-scan]", part).hidden = !typing;
    find("[data-scan]", part).hidden = typing;
    setText(find("[data-check-in-title]", part), t(`kiosk.check_in.${this.step}`));
    setText(find("[data-check-in-lead]", part), this.step === "initials" ? t("kiosk.check_in.initials.lead") : "");
    if (!typing) return;
    setText(find("[data-typed]", part), this.#shown());
    this.#paintKeys(find("[data-signs]", part));
    find("[data-confirm]", part).setAttribute("aria-disabled", String(!this.#isComplete()));
  }

  /** @param {Step} step */
  #go(step) {
    this.step = step;
    this.#typed = "";
  }

  /** @param {string} key */
  #type(key) {
    const longest = { choose: 0, code: LONGEST_CODE, birth: DATE_LENGTH, initials: LONGEST_INITIALS }[this.step];
    if (this.#typed.length < longest) this.#typed += key;
  }

  #confirm() {
    if (!this.#isComplete()) return;
    if (this.step === "code") this.#send({ code: this.#typed });
    else if (this.step === "initials") this.#send({ date_of_birth: this.#birth, initials: this.#typed });
    else {
      this.#birth = dateOf(this.#typed) ?? "";
      this.#go("initials");
    }
  }

  #isComplete() {
    if (this.step === "birth") return dateOf(this.#typed) !== null;
    return this.#typed.length >= (this.step === "code" ? 4 : 1);
  }

  /** What was typed, with signs for what is missing: "24.12.––––". */
  #shown() {
    if (this.step !== "birth") return this.#typed || "–";
    const all = this.#typed.padEnd(DATE_LENGTH, "–");
    return `${all.slice(0, 2)}.${all.slice(2, 4)}.${all.slice(4)}`;
  }

  /** @param {HTMLElement} list */
  #paintKeys(list) {
    const language = currentLanguage();
    const letters = LETTERS[/** @type {keyof typeof LETTERS} */ (language)] ?? LATIN;
    const signs = { choose: "", code: CODE_SIGNS, birth: DIGITS, initials: letters }[this.step];
    if (list.dataset.signs === signs) return;
    list.dataset.signs = signs;
    list.dir = this.step === "initials" ? "" : "ltr"; // codes and digits run from left to right in every language
    list.replaceChildren(
      ...[...signs].map((sign) => {
        const key = element("button", { type: "button", className: "kiosk-button key" }, sign);
        Object.assign(key.dataset, { do: "check-in", key: sign });
        return key;
      }),
    );
  }
}

/**
 * Return the date (YYYY-MM-DD) that eight digits name as day, month and year, or null if there is no such day.
 *
 * @param {string} digits
 */
export function dateOf(digits) {
  if (digits.length !== DATE_LENGTH) return null;
  const [day, month, year] = [Number(digits.slice(0, 2)), Number(digits.slice(2, 4)), Number(digits.slice(4))];
  const date = new Date(Date.UTC(year, month - 1, day));
  if (year < OLDEST_YEAR || date.getUTCDate() !== day || date.getUTCMonth() !== month - 1 || date.getTime() > Date.now()) return null;
  return date.toISOString().slice(0, 10);
}
