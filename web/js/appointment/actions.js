import { WeekTimes } from "../components/week-times.js";
import { CommandFailed, sendCommand } from "../shared/commands.js";
import { element, find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { dayOf, localAt, timeOf } from "../shared/local-time.js";
import { request } from "../shared/request.js";

/**
 * @typedef {import("../ticket/page.js").TicketPage} TicketPage
 * @typedef {import("./view.js").AppointmentView} AppointmentView
 * @typedef {import("../components/free-times.js").Slot} Slot
 */

/** The texts of refusals; any other one is `patient.failed`. */
const REFUSED = /** @type {Record<string, string>} */ ({
  appointment_changed: "appointment.changed",
  appointment_not_booked: "appointment.changed",
  slot_taken: "appointment.taken",
  slot_not_offered: "appointment.taken",
  too_late: "appointment.too_late",
  too_early: "appointment.not_yet",
  no_queue_for_service: "appointment.desk",
  offer_over: "appointment.taken",
  unreachable: "patient.unreachable",
});

/** What the patient can do with the appointment. Each action is a button that sends a command. */
export class AppointmentActions {
  #page;
  #view;
  #move = dialogOf("#move");
  #cancel = dialogOf("#cancel");
  #times;
  #provider = /** @type {HTMLSelectElement} */ (find("[data-provider]"));

  /** @param {TicketPage} page @param {AppointmentView} view */
  constructor(page, view) {
    this.#page = page;
    this.#view = view;
    this.#times = new WeekTimes(find("[data-times]"), (from, until) => this.#load(from, until), (slot) => this.#name(slot), "move");
    const on = (/** @type {string} */ selector, /** @type {() => void} */ act) => find(selector).addEventListener("click", act);
    on("[data-check-in]", () => void this.#run("check-in", {}, () => ""));
    on("[data-accept]", () => void this.#run("accept-offer", {}, () => t("appointment.moved")));
    on("[data-decline]", () => void this.#run("decline-offer", {}, () => t("appointment.earlier.off")));
    on("[data-move]", () => void this.#openMove());
    on("[data-cancel]", () => this.#openCancel());
    on("[data-cancel-now]", () => {
      this.#cancel.close();
      void this.#run("cancel-appointment", { version: page.appointment?.version }, () => "");
    });
    this.#provider.addEventListener("change", () => void this.#times.refresh());
    find("[data-move-form]").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#moveTo(this.#times.chosen);
    });
    const earlier = /** @type {HTMLInputElement} */ (find("[data-earlier]"));
    earlier.addEventListener("change", async () => {
      const wants = earlier.checked;
      earlier.disabled = true;
      await this.#run("want-earlier", { wants }, () => t(wants ? "appointment.earlier.on" : "appointment.earlier.off"));
      earlier.disabled = false;
      earlier.focus();
    });
  }

  /** Paint the texts in another language. */
  repaint() {
    this.#times.repaint();
    if (this.#move.open) this.#name(this.#times.chosen);
  }

  async #openMove() {
    const { appointment, connection } = this.#page;
    const { more } = this.#view;
    if (appointment === undefined) return;
    const providers = more?.providers ?? [];
    const options = providers.map(({ id, name }) => element("option", { value: String(id) }, name));
    this.#provider.replaceChildren(element("option", { value: "" }, t("appointment.anyone")), ...options);
    this.#provider.value = String(more?.provider_id ?? "");
    find("[data-person-field]").hidden = providers.length < 2;
    setText(find("[data-move-problem]"), "");
    this.#name(null);
    this.#move.showModal();
    find("#move-title").focus();
    await this.#times.open(localAt(connection.now(), appointment.offset_minutes).slice(0, 10));
  }

  #openCancel() {
    const { appointment, connection } = this.#page;
    if (appointment === undefined) return;
    const late = connection.now() > appointment.cancel_until;
    setText(find("[data-cancel-lead]"), t(late ? "appointment.cancel.late" : "appointment.cancel.lead"));
    this.#cancel.showModal();
  }

  /**
   * @param {string} from
   * @param {string} until
   * @returns {Promise<Slot[]>}
   */
  async #load(from, until) {
    const query = new URLSearchParams({ from, until });
    if (this.#provider.value !== "") query.set("provider_id", this.#provider.value);
    const answer = await request(`${this.#view.address}/slots?${query}`, { cache: "no-store" });
    const { data } = await answer.json();
    const { appointment } = this.#page;
    // The present time is free to its own patient, but no move.
    return data.filter((/** @type {Slot} */ each) => each.starts_at !== appointment?.starts || each.provider_id !== this.#view.more?.provider_id);
  }

  /** Name the chosen time on the button. @param {Slot | null} slot */
  #name(slot) {
    setText(find("[data-move-problem]"), "");
    const words = slot === null ? t("appointment.move.go") : t("appointment.move.go.time", { day: dayOf(slot.local_start), time: timeOf(slot.local_start) });
    setText(find("[data-move-go]"), words);
  }

  /** @param {Slot | null} slot */
  async #moveTo(slot) {
    const problem = find("[data-move-problem]");
    const button = find("[data-move-go]");
    if (button.getAttribute("aria-busy") === "true") return;
    if (slot === null) {
      setText(problem, t("appointment.move.choose"));
      this.#times.focus();
      return;
    }
    button.setAttribute("aria-busy", "true");
    const { local_start, fold, provider_id } = slot;
    const refused = await this.#send("reschedule", { version: this.#page.appointment?.version, local_start, fold, provider_id });
    button.removeAttribute("aria-busy");
    if (refused === null) {
      this.#move.close();
      this.#tell(() => ({ text: t("appointment.moved"), refused: false }));
      void this.#view.ask();
      return;
    }
    setText(problem, t(refused));
    if (refused === "appointment.taken") await this.#times.refresh();
  }

  /**
   * Send a command and show how it went. The buttons are disabled meanwhile.
   *
   * @param {string} name
   * @param {Record<string, unknown>} body
   * @param {() => string} done  returns the message of success
   */
  async #run(name, body, done) {
    const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll(".appointment button"));
    for (const each of buttons) each.disabled = true;
    this.#tell(() => ({ text: "", refused: false }));
    const refused = await this.#send(name, body);
    for (const each of buttons) each.disabled = false;
    this.#tell(() => (refused === null ? { text: done(), refused: false } : { text: t(refused), refused: true }));
  }

  /** Send a command; return the key of the refusal's text, or null. @param {string} name @param {Record<string, unknown>} body */
  async #send(name, body) {
    const { appointment, token } = this.#page;
    try {
      await sendCommand(name, { appointment_id: appointment?.appointment, ...body }, token);
      return null;
    } catch (error) {
      return REFUSED[error instanceof CommandFailed ? error.code : ""] ?? "patient.failed";
    }
  }

  /** @param {AppointmentView["result"]} result */
  #tell(result) {
    this.#view.result = result;
    this.#view.paint();
  }
}

/**
 * Return a dialog that closes by its buttons and by a click beside it.
 *
 * @param {string} selector
 * @returns {HTMLDialogElement}
 */
function dialogOf(selector) {
  const dialog = /** @type {HTMLDialogElement} */ (find(selector));
  for (const each of dialog.querySelectorAll("[data-close]")) each.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  return dialog;
}
