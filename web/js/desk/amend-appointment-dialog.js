import { setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { appointmentError, momentOf, whoseName } from "./appointment-texts.js";
import { clearErrors, showError, showInvalid, showRefusal } from "./form-errors.js";
import { formDialog } from "./form-parts.js";
import { element } from "../shared/dom.js";
import { patientFields } from "./patient-fields.js";

/**
 * @typedef {import("./appointments.js").Appointment} Appointment
 * @typedef {import("./book-dialog.js").Send} Send
 */

/**
 * The dialog that corrects the data of a patient with an appointment.
 *
 * @param {Send} send
 * @param {(text: string) => void} amended  shows the message
 * @returns {{open: (language: string, appointment: Appointment) => void}}  `language`: the site's
 */
export function amendAppointmentDialog(send, amended) {
  const patient = patientFields("amend-appointment");
  const lead = element("p", { className: "dialog-lead" });
  const hint = element("p", { className: "field-hint" }, t("appointment.amend.hint"));
  const { dialog, form, heading, error, submit } = formDialog(
    "amend-appointment",
    { submit: t("amend.submit"), wide: true },
    lead,
    patient.element,
    hint,
  );
  /** @type {Appointment | null} */
  let subject = null;

  /** @param {Appointment} appointment @param {Record<string, unknown>} changed */
  async function amend(appointment, changed) {
    submit.setAttribute("aria-busy", "true");
    try {
      await send("amend-appointment", { appointment_id: appointment.id, ...changed });
      if (subject === appointment) dialog.close();
      amended(t("done.amend-appointment", { name: String(changed.name ?? whoseName(appointment)) }));
    } catch (refusal) {
      showRefusal(form, refusal);
      if (error.textContent !== "") setText(error, appointmentError(refusal));
    } finally {
      submit.removeAttribute("aria-busy");
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (submit.getAttribute("aria-busy") === "true" || subject === null) return;
    clearErrors(form);
    if (!patient.hasName) showError(form, "name", t("appointment.error.name"));
    else if (!showInvalid(form)) {
      const changed = patient.changes(subject);
      if (Object.keys(changed).length === 0) dialog.close();
      else void amend(subject, changed);
    }
  });

  return {
    open(language, appointment) {
      subject = appointment;
      form.reset();
      clearErrors(form);
      setText(heading, t("appointment.amend.title", { name: whoseName(appointment) }));
      setText(lead, momentOf(appointment.local_start));
      patient.reset(language, appointment);
      dialog.showModal();
      patient.select();
    },
  };
}
