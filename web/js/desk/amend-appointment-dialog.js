import { element, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { appointmentError, momentOf, whoseName } from "./appointment-texts.js";
import { clearErrors, showError, showInvalid, showRefusal } from "./form-errors.js";
import { formDialog } from "./form-parts.js";
import { patientFields } from "./patient-fields.js";
import { requestLine } from "./request-line.js";

/**
 * @typedef {import("./appointments.js").Appointment} Appointment
 * @typedef {import("./book-dialog.js").Send} Send
 * @typedef {import("./patient-fields.js").Requested} Requested
 * @typedef {import("./time-choice.js").Clinic} Clinic
 */

/**
 * The dialog that corrects the data of a patient with an appointment. The page knows the name and the needs, and requests the
 * rest. Only what has changed is sent, so that two people who correct different fields both succeed.
 *
 * @param {Send} send
 * @param {ReturnType<typeof import("./contact-lines.js").contactLines>} contact
 * @param {(text: string) => void} amended  shows the message
 * @returns {{open: (clinic: Clinic, appointment: Appointment) => void}}
 */
export function amendAppointmentDialog(send, contact, amended) {
  const patient = patientFields("amend-appointment");
  const lead = element("p", { className: "dialog-lead" });
  /** The data that the server has; null until they are there. @type {Requested | null} */
  let requested = null;
  const line = requestLine(
    { loading: t("appointment.amend.loading"), arrived: t("appointment.amend.hint"), failed: t("appointment.amend.failed") },
    ({ phone_shown: phone, email, date_of_birth: born, note }) => {
      requested = { phone: phone ?? "", email: email ?? "", date_of_birth: born ?? "", note: note ?? "" };
      patient.showRequested(requested);
    },
  );
  const { dialog, form, heading, error, submit } = formDialog(
    "amend-appointment",
    { submit: t("amend.submit"), wide: true },
    lead,
    line.element,
    patient.element,
    contact.element,
  );
  contact.cancelWith(dialog);
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
      const changed = patient.changes(subject, requested);
      if (Object.keys(changed).length === 0) dialog.close();
      else void amend(subject, changed);
    }
  });

  line.cancelWith(dialog);

  return {
    open(clinic, appointment) {
      subject = appointment;
      form.reset();
      clearErrors(form);
      setText(heading, t("appointment.amend.title", { name: whoseName(appointment) }));
      setText(lead, momentOf(appointment.local_start));
      patient.reset(clinic.language, appointment);
      requested = null;
      patient.showRequested(null);
      const address = `/api/v1/sites/${clinic.siteId}/appointments/${appointment.id}`;
      line.request(address);
      contact.show(address);
      dialog.showModal();
      patient.select();
    },
  };
}
