import { element, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { request } from "../shared/request.js";

/**
 * @typedef {{way: "sms" | "email", recipient: string | null, opted_out: boolean}} Way  `recipient`: the masked address
 */

/**
 * How the clinic reaches the patient: each way that it uses, with a switch. The part is hidden at a clinic that sends no
 * messages.
 */
export class ContactWays {
  element = element("section", { className: "contact", hidden: true });
  #address;
  #unreached = element("p", { className: "contact-unreached" });
  #summary = element("summary");
  #list = element("ul", { className: "contact-ways" });
  #told = element("p", { className: "contact-told", role: "status" });
  /** @type {Way[]} */
  #ways = [];
  /** What happened to the last change, in the language of now. */
  #result = () => "";

  /** @param {string} address  of the ticket or the appointment, below which the server answers */
  constructor(address) {
    this.#address = `${address}/contact`;
    this.element.append(this.#unreached, element("details", {}, this.#summary, this.#list, this.#told));
  }

  /** Ask the server for the ways. Without an answer, the part stays as it is. */
  async ask() {
    const answer = await request(this.#address, { cache: "no-store" }).catch(() => null);
    const body = answer?.ok ? await answer.json().catch(() => null) : null;
    if (body === null) return;
    this.#ways = body.ways;
    this.paint();
  }

  /** Paint the part in the language of now. */
  paint() {
    this.element.hidden = this.#ways.length === 0;
    this.#unreached.hidden = this.#ways.some(({ recipient, opted_out: out }) => recipient !== null && !out);
    setText(this.#unreached, t("contact.unreached"));
    setText(this.#summary, t("contact.title"));
    setText(this.#told, this.#result());
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.way;
    this.#list.replaceChildren(...this.#ways.map((way) => element("li", {}, this.#lineOf(way))));
    if (focused !== undefined) /** @type {HTMLElement | null} */ (this.#list.querySelector(`[data-way="${focused}"]`))?.focus();
  }

  /** @param {Way} way */
  #lineOf({ way, recipient, opted_out: out }) {
    if (recipient === null) return element("p", {}, t(`contact.none.${way}`));
    const box = element("input", { type: "checkbox", role: "switch", checked: !out });
    box.dataset.way = way;
    box.addEventListener("change", () => void this.#change(way, box));
    return element("label", { className: "check" }, box, element("span", {}, t(`contact.${way}`, { to: recipient })));
  }

  /** @param {Way["way"]} way @param {HTMLInputElement} box */
  async #change(way, box) {
    if (box.getAttribute("aria-busy") === "true") return;
    box.setAttribute("aria-busy", "true");
    const out = !box.checked;
    const init = { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ opted_out: out }) };
    const answer = await request(`${this.#address}/${way}`, init).catch(() => null);
    if (answer?.ok) {
      this.#ways = this.#ways.map((each) => (each.way === way ? { ...each, opted_out: out } : each));
      this.#result = () => t(`contact.${out ? "off" : "on"}.${way}`);
    } else this.#result = () => t("contact.failed");
    this.paint();
  }
}
