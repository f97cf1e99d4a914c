import { element, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { appointmentError, momentOf, whoseName } from "./appointment-texts.js";
import { clearErrors, showError, showRefusal } from "./form-errors.js";
import { formDialog } from "./form-parts.js";
import { timeChoice } from "./time-choice.js";

/**
 * @typedef {import("./appointments.js").Appointment} Appointment
 * @typedef {import("./time-choice.js").Clinic} Clinic
 * @typedef {import("./time-choice.js").ChosenTime} ChosenTime
 * @typedef {import("./book-dialog.js").Send} Send
 */

/**
 * The dialog that moves an appointment to another time or provider.
 *
 * @param {Send} send
 * @param {(text: string) => void} moved  shows the message
 * @param {(id: number) => Appointment | null} current  the appointment as the page shows it now
 * @returns {{open: (clinic: Clinic, appointment: Appointment, wished?: {local: string, provider: number} | null) => void}}
 */
export function rescheduleDialog(send, moved, current) {
  const time = timeChoice("reschedule", { anyone: false, chosen: (now) => (chosen = now) });
  const lead = element("p", { className: "dialog-lead", "data-lead": "" });
  const { dialog, form, heading, error, submit } = formDialog(
    "reschedule",
    { submit: t("appointment.move.submit"), close: t("cancel.keep"), wide: true },
    lead,
    time.element,
  );
  /** @type {Appointment | null} */
  let subject = null;
  /** @type {ChosenTime | null} */
  let chosen = null;

  /** @param {Appointment} appointment */
  function show(appointment) {
    subject = appointment;
    setText(heading, t("appointment.move.title", { name: whoseName(appointment) }));
    setText(lead, t("appointment.now", { time: momentOf(appointment.local_start) }));
  }

  /**
   * @param {Appointment} appointment
   * @param {ChosenTime} to
   */
  async function move(appointment, to) {
    submit.setAttribute("aria-busy", "true");
    try {
      await send("reschedule", {
        appointment_id: appointment.id,
        version: appointment.version,
        local_start: to.local_start,
        fold: to.fold,
        ...(to.provider_id === null || to.provider_id === appointment.provider ? {} : { provider_id: to.provider_id }),
        ...(time.overbook === undefined ? {} : { overbook: time.overbook }),
      });
      dialog.close();
      moved(t("done.reschedule", { name: whoseName(appointment), time: momentOf(to.local_start) }));
    } catch (refusal) {
      const { code = "" } = /** @type {{code?: string}} */ (refusal);
      const now = current(appointment.id);
      if (code === "appointment_changed" && now !== null) show(now);
      if (code === "slot_taken" || code === "slot_not_offered") await time.refresh();
      showRefusal(form, refusal);
      setText(error, appointmentError(refusal));
    } finally {
      submit.removeAttribute("aria-busy");
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (submit.getAttribute("aria-busy") === "true" || subject === null) return;
    clearErrors(form);
    if (chosen === null) {
      setText(error, t("appointment.error.time"));
      time.focus();
    } else if (!chosen.free && time.overbook === undefined) {
      // A time beside its own one is not in the list, and is free for this appointment: the server decides.
      if (overlaps(subject, chosen) || !time.mayOverbook) void move(subject, chosen);
      else showError(form, "overbook", t("appointment.error.overbook"));
    } else void move(subject, chosen);
  });
  dialog.addEventListener("close", () => time.cancel());

  return {
    open(clinic, appointment, wished = null) {
      chosen = null;
      form.reset();
      clearErrors(form);
      show(appointment);
      dialog.showModal();
      const date = (wished?.local ?? appointment.local_start).slice(0, 10);
      const { service, minutes } = appointment;
      const provider = wished?.provider ?? appointment.provider;
      void time
        .open(clinic, { service, provider, date, local: wished?.local ?? null, minutes })
        .then(() => dialog.open && time.focus());
    },
  };
}

/**
 * Return whether a time is near the appointment's own one, so that only the appointment itself may be in its way.
 *
 * @param {Appointment} appointment
 * @param {ChosenTime} to
 */
function overlaps({ local_start: local, minutes, provider }, to) {
  const apartMs = Math.abs(Date.parse(`${local}Z`) - Date.parse(`${to.local_start}Z`));
  return to.provider_id === provider && apartMs < minutes * 60_000;
}
