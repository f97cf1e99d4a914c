import { loadStyle } from "../shared/dom.js";
import { loadPart, t } from "../shared/i18n.js";
import { appointmentError, momentOf, whoseName } from "./appointment-texts.js";
import { lazyDialog } from "./lazy-dialog.js";

/**
 * @typedef {import("./appointments.js").Appointment} Appointment
 * @typedef {import("./orders.js").Orders} Orders
 * @typedef {import("./time-choice.js").Clinic} Clinic
 * @typedef {import("./time-choice.js").Wanted} Wanted
 *
 * @typedef {object} Page  what the actions need of their page
 * @property {Orders} orders
 * @property {() => Clinic} clinic
 * @property {(id: number) => Appointment | null} find  an appointment as the page shows it now
 * @property {(text: string, kind: "done" | "error") => void} show  the page's message
 */

const SHORTEST_REASON = 3; // as on the server
const STYLES = ["free-times", "time-choice"]; // of the dialogs that choose a time
const STYLE = "appointment-dialogs"; // of those that show one appointment

/** The actions for appointments, by the names of their buttons. The page's message shows how each one went. */
export class AppointmentActions {
  /** @type {Page} */
  #page;
  dialogs;

  /** @param {Page} page */
  constructor(page) {
    this.#page = page;
    this.dialogs = dialogsOf(page);
  }

  /**
   * Do an action for an appointment.
   *
   * @param {string} action
   * @param {Appointment} appointment
   * @param {() => void} [again]  presses the button again, when a command in progress has ended
   */
  press(action, appointment, again = () => {}) {
    const { clinic } = this.#page;
    switch (action) {
      case "check-in":
        void this.checkIn(appointment, {}, again);
        break;
      case "no-show":
        void this.#run("appointment-no-show", { appointment_id: appointment.id }, appointment, again);
        break;
      case "clear-unreached":
        void this.#told(appointment, again);
        break;
      case "move":
        void this.dialogs.reschedule.open(clinic(), appointment);
        break;
      case "amend-visit":
        void this.dialogs.amend.open(clinic(), appointment);
        break;
      case "history":
        void this.dialogs.history.open(clinic(), appointment);
        break;
      case "cancel":
        this.#askToCancel(appointment);
        break;
    }
  }

  /**
   * Open the dialog that books.
   *
   * @param {Partial<Wanted>} [wanted]
   */
  book(wanted = {}) {
    const clinic = this.#page.clinic();
    void this.dialogs.book.open(clinic, { service: null, provider: null, date: clinic.today, local: null, minutes: null, ...wanted });
  }

  /**
   * Check a patient in. Too early or too late, those who may are asked whether to do it anyway.
   *
   * @param {Appointment} appointment
   * @param {{queue_id?: number, anyway?: boolean}} more
   * @param {() => void} [again]
   */
  async checkIn(appointment, more, again = () => {}) {
    const { orders, show, clinic } = this.#page;
    try {
      const answer = await orders.act("check-in", { appointment_id: appointment.id, ...more }, again);
      if (answer === null) return;
      show(t("done.check-in", { name: whoseName(appointment), label: answer.entry?.label ?? "" }), "done");
    } catch (error) {
      const { code = "", details = {} } = /** @type {{code?: string, details?: Record<string, any>}} */ (error);
      const today = appointment.local_start.startsWith(clinic().today);
      if ((code === "too_early" || code === "too_late") && today && more.anyway !== true && clinic().may("overrule-limits")) {
        void this.dialogs.confirm.open({
          title: t(`check_in.${code}.title`, { name: whoseName(appointment) }),
          lead: t(`check_in.${code}.lead`, { time: momentOf(String(details.local_from ?? details.local_until)) }),
          yes: t("check_in.anyway"),
          reason: null,
          confirmed: () => void this.checkIn(appointment, { ...more, anyway: true }),
        });
      } else show(appointmentError(error), "error");
    }
  }

  /**
   * Move an appointment at once, as a drop on a free time does.
   *
   * @param {Appointment} appointment
   * @param {{local_start: string, fold: number, provider: number}} to
   * @returns {Promise<boolean>}  whether it was moved
   */
  async moveTo(appointment, { local_start: local, fold, provider }) {
    const { orders, show } = this.#page;
    try {
      const body = { appointment_id: appointment.id, version: appointment.version, local_start: local, fold };
      const answer = await orders.act("reschedule", provider === appointment.provider ? body : { ...body, provider_id: provider }, () => {});
      if (answer === null) return false;
      show(t("done.reschedule", { name: whoseName(appointment), time: momentOf(local) }), "done");
      return true;
    } catch (error) {
      show(appointmentError(error), "error");
      return false;
    }
  }

  /** @param {Appointment} appointment @param {() => void} again */
  async #told(appointment, again) {
    const { orders, show } = this.#page;
    const name = whoseName(appointment);
    try {
      if ((await orders.act("clear-unreached", { subject_id: appointment.id }, again)) === null) return;
      orders.nameLast(name);
      show(t("done.clear-unreached.appointment", { name }), "done");
    } catch (error) {
      show(appointmentError(error), "error");
    }
  }

  /** @param {Appointment} appointment */
  #askToCancel(appointment) {
    const name = whoseName(appointment);
    void this.dialogs.confirm.open({
      title: t("appointment.cancel.title", { name }),
      lead: t("appointment.cancel.lead", { time: momentOf(appointment.local_start) }),
      yes: t("appointment.cancel.submit"),
      reason: t("appointment.cancel.reason"),
      confirmed: (reason) => {
        const body = { appointment_id: appointment.id, version: appointment.version };
        void this.#run("cancel-appointment", reason.length < SHORTEST_REASON ? body : { ...body, reason }, appointment);
      },
    });
  }

  /**
   * @param {string} command
   * @param {Record<string, unknown>} body
   * @param {Appointment} appointment
   * @param {() => void} [again]
   */
  async #run(command, body, appointment, again = () => {}) {
    const { orders, show } = this.#page;
    try {
      if ((await orders.act(command, body, again)) === null) return;
      show(t(`done.${command}`, { name: whoseName(appointment) }), "done");
    } catch (error) {
      show(appointmentError(error), "error");
    }
  }
}

/** @param {Page} page */
function dialogsOf({ orders, find, show }) {
  /** @type {import("./book-dialog.js").Send} */
  const send = (name, body) => orders.send(name, body);
  const done = (/** @type {string} */ text) => show(text, "done");
  const unreachable = () => show(t("error.unreachable"), "error");
  return {
    book: lazyDialog(async () => {
      const [{ bookDialog }] = await Promise.all([import("./book-dialog.js"), ...STYLES.map((name) => loadStyle(name))]);
      return bookDialog(send, done);
    }, unreachable),
    reschedule: lazyDialog(async () => {
      const [{ rescheduleDialog }] = await Promise.all([import("./reschedule-dialog.js"), ...STYLES.map((name) => loadStyle(name))]);
      return rescheduleDialog(send, done, find);
    }, unreachable),
    amend: lazyDialog(async () => {
      const [{ amendAppointmentDialog }, lines] = await Promise.all([import("./amend-appointment-dialog.js"), import("./contact-part.js"), loadStyle(STYLE)]);
      return amendAppointmentDialog(send, await lines.contactPart(), done);
    }, unreachable),
    history: lazyDialog(async () => {
      const [{ historyDialog }] = await Promise.all([import("./history-dialog.js"), loadPart("history"), loadStyle(STYLE)]);
      return historyDialog();
    }, unreachable),
    confirm: lazyDialog(async () => (await import("./confirm-dialog.js")).confirmDialog(), unreachable),
  };
}
