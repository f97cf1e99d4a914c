import { element, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { LatestRequest } from "../shared/latest-request.js";
import { ask } from "../shared/staff-requests.js";

/**
 * @typedef {{way: "sms" | "email", recipient: string | null, opted_out: boolean, source: string | null}} Way
 */

/**
 * The part of a dialog about a patient that says which messages reach them. A button stops the messages to an address, or
 * undoes this, at once. The part is hidden if the clinic sends no messages, or has no address.
 */
export function contactLines() {
  const list = element("ul");
  const told = element("p", { className: "field-hint", role: "status" });
  const part = element("fieldset", { className: "choices contact-lines", hidden: true }, element("legend", {}, t("contact.desk.title")), list, told);
  const lookUp = new LatestRequest();
  let address = "";

  async function request() {
    /** @type {{ways: Way[]} | null} */
    const answer = await lookUp.get(address).catch(() => null);
    if (answer === null) return;
    const ways = answer.ways.filter(({ recipient }) => recipient !== null);
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.stop;
    list.replaceChildren(...ways.map(lineOf));
    part.hidden = ways.length === 0;
    if (focused !== undefined) /** @type {HTMLElement | null} */ (list.querySelector(`[data-stop="${focused}"]`))?.focus();
  }

  /** @param {Way} way */
  function lineOf({ way, recipient, opted_out: out, source }) {
    const mark = element("span", { className: "contact-mark" }, t(out ? `contact.desk.${source}` : "contact.desk.gets"));
    const text = element("span", {}, t(`contact.${way}`, { to: recipient ?? "" }), " · ", mark);
    const button = element("button", { type: "button", className: "button is-quiet" }, t(out ? "contact.desk.allow" : `contact.desk.stop.${way}`));
    button.dataset.stop = way;
    button.addEventListener("click", () => void change(way, !out, button));
    return element("li", { className: out ? "is-stopped" : "" }, text, button);
  }

  /** @param {Way["way"]} way @param {boolean} out @param {HTMLElement} button */
  async function change(way, out, button) {
    if (button.getAttribute("aria-busy") === "true") return;
    const asked = address;
    button.setAttribute("aria-busy", "true");
    const done = await ask(`${asked}/${way}`, { method: "PUT", body: { opted_out: out } }).then(({ error }) => error === undefined, () => false);
    if (asked !== address) return; // the dialog shows another patient by now
    setText(told, done ? t(`contact.desk.${out ? "staff" : "gets"}`) : t("contact.desk.failed"));
    button.removeAttribute("aria-busy");
    if (done) await request();
  }

  return {
    element: part,
    /** Show the ways to a patient. @param {string} wanted  the address of the entry or the appointment */
    show(wanted) {
      address = `${wanted}/contact`;
      part.hidden = true;
      setText(told, "");
      void request();
    },
    /** Give up the request when a dialog closes. @param {HTMLDialogElement} dialog */
    cancelWith(dialog) {
      dialog.addEventListener("close", () => dialog.open || lookUp.cancel());
    },
  };
}
