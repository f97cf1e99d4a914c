import { setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { timeOf } from "../shared/local-time.js";
import { appointmentError, momentOf } from "./appointment-texts.js";
import { clearErrors, showError, showInvalid, showRefusal } from "./form-errors.js";
import { checkOf, formDialog } from "./form-parts.js";
import { patientFields } from "./patient-fields.js";
import { timeChoice } from "./time-choice.js";
import { element } from "../shared/dom.js";

/**
 * @typedef {import("../shared/commands.js").Answer} Answer
 * @typedef {import("./time-choice.js").Clinic} Clinic
 * @typedef {import("./time-choice.js").Wanted} Wanted
 * @typedef {import("./time-choice.js").ChosenTime} ChosenTime
 * @typedef {(name: string, body: Record<string, unknown>) => Promise<Answer>} Send
 */

const EXTEND_MS = 9 * 60_000; // a hold lasts for ten minutes, and can be extended once

/**
 * The dialog that books an appointment. The chosen time is held while the patient's data is typed, and given back if the
 * dialog closes without a booking.
 *
 * @param {Send} send
 * @param {(text: string, answer: Answer) => void} booked  shows the message
 * @returns {{open: (clinic: Clinic, wanted: Wanted) => void}}
 */
export function bookDialog(send, booked) {
  const time = timeChoice("book", { anyone: true, chosen: (now) => void take(now) });
  const patient = patientFields("book");
  const kept = element("p", { className: "slot-kept", role: "status" });
  const anyway = checkOf("anyway", t("appointment.book_anyway"));
  const { dialog, form, heading, error, submit } = formDialog(
    "book",
    { submit: t("appointment.book.submit"), wide: true },
    time.element,
    kept,
    patient.element,
    anyway,
  );
  setText(heading, t("appointment.book.title"));
  const anywayBox = /** @type {HTMLInputElement} */ (anyway.firstElementChild);
  /** @type {Clinic | null} */
  let clinic = null;
  /** @type {ChosenTime | null} */
  let chosen = null;
  /** The hold of the chosen time. @type {{token: string, service: number, provider: number, extended: boolean} | null} */
  let hold = null;
  /** Counts the choices, so that a late answer for an earlier one gives its hold back. */
  let turn = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  /** Give the held time back. It lapses by itself, too. @returns {Promise<unknown>}  ends with the server's answer */
  function release() {
    clearTimeout(timer);
    const given = hold === null || clinic === null ? null : send("release-slot", { site_id: clinic.siteId, hold_token: hold.token }).catch(() => {});
    hold = null;
    setText(kept, "");
    return Promise.resolve(given);
  }

  /**
   * Hold the chosen time instead of the last one.
   *
   * @param {ChosenTime | null} now
   */
  async function take(now) {
    const sameService = hold?.service === time.serviceId;
    if (sameService && now !== null && chosen !== null && now.free && sameTime(now, chosen)) return; // it is held
    turn += 1;
    const mine = turn;
    chosen = now;
    const released = release();
    setText(error, "");
    if (now === null || !now.free || clinic === null || !dialog.open) return;
    const { siteId } = clinic;
    await released; // else the own hold would be in the way of the new one
    if (mine !== turn || !dialog.open) return;
    try {
      const answer = await send("hold-slot", bodyOf(now));
      const token = answer.token ?? "";
      if (mine !== turn || !dialog.open) {
        void send("release-slot", { site_id: siteId, hold_token: token }).catch(() => {});
        return;
      }
      hold = { token, service: time.serviceId, provider: answer.appointment?.provider_id ?? 0, extended: false };
      setText(kept, keptText(now, hold.provider));
      timer = setTimeout(() => void extend(), EXTEND_MS);
    } catch (refusal) {
      if (mine !== turn || !dialog.open) return;
      chosen = null;
      await time.refresh();
      setText(error, appointmentError(refusal));
    }
  }

  /**
   * @param {ChosenTime} one
   * @param {ChosenTime} other
   */
  const sameTime = (one, other) => one.local_start === other.local_start && one.fold === other.fold && one.provider_id === other.provider_id;

  async function extend() {
    if (hold === null || hold.extended || chosen === null) return;
    hold.extended = true;
    await send("hold-slot", { ...bodyOf(chosen), hold_token: hold.token }).catch(() => {});
  }

  /** @param {ChosenTime} now */
  const bodyOf = ({ local_start: local, fold, provider_id: provider }) => ({
    site_id: clinic?.siteId,
    service_id: time.serviceId,
    ...(provider === null ? {} : { provider_id: provider }),
    local_start: local,
    fold,
  });

  /**
   * @param {ChosenTime} now
   * @param {number} providerId
   */
  function keptText({ local_start: local }, providerId) {
    const provider = clinic?.providers.find(({ id }) => id === providerId)?.name ?? "";
    return t("appointment.kept", { time: timeOf(local), provider });
  }

  /** @param {ChosenTime} now */
  async function book(now) {
    submit.setAttribute("aria-busy", "true");
    try {
      const more = {
        ...(hold === null ? {} : { hold_token: hold.token }),
        ...(time.overbook === undefined ? {} : { overbook: time.overbook }),
        ...(anywayBox.checked && !anyway.hidden ? { anyway: true } : {}),
      };
      const answer = await send("book", { ...bodyOf(now), ...patient.values(), ...more });
      clearTimeout(timer);
      hold = null; // the hold is the appointment now
      dialog.close();
      const provider = clinic?.providers.find(({ id }) => id === answer.appointment?.provider_id)?.name ?? "";
      booked(t("done.book", { name: String(patient.values().name), time: momentOf(now.local_start), provider }), answer);
    } catch (refusal) {
      const { code = "" } = /** @type {{code?: string}} */ (refusal);
      if (code === "slot_taken" || code === "hold_expired" || code === "slot_not_offered") {
        hold = null;
        chosen = null;
        await time.refresh();
      }
      showRefusal(form, refusal);
      if (error.textContent !== "") setText(error, appointmentError(refusal));
    } finally {
      submit.removeAttribute("aria-busy");
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (submit.getAttribute("aria-busy") === "true") return;
    clearErrors(form);
    if (chosen === null) {
      setText(error, t("appointment.error.time"));
      time.focus();
    } else if (!chosen.free && time.overbook === undefined) {
      if (clinic?.may("overbook")) showError(form, "overbook", t("appointment.error.overbook"));
      else setText(error, t("appointment.error.time"));
    } else if (!chosen.free && chosen.provider_id === null) {
      showError(form, "provider", t("appointment.error.provider"));
    } else if (!patient.hasName) showError(form, "name", t("appointment.error.name"));
    else if (!showInvalid(form)) void book(chosen);
  });
  dialog.addEventListener("close", () => {
    turn += 1;
    chosen = null;
    release();
    time.cancel();
  });

  return {
    open(now, wanted) {
      clinic = now;
      chosen = null;
      form.reset();
      clearErrors(form);
      anyway.hidden = true;
      patient.reset(now.language, null);
      dialog.showModal();
      void time.open(now, wanted).then(() => {
        if (!dialog.open) return;
        if (wanted.local !== null) patient.focus();
        else time.focus();
      });
    },
  };
}
