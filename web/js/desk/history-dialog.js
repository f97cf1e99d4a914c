import { element, setText } from "../shared/dom.js";
import { formatDay, formatTime, t } from "../shared/i18n.js";
import { timeOf } from "../shared/local-time.js";
import { momentOf, whoseName } from "./appointment-texts.js";
import { whatHappened, whoDidIt, whyIt } from "./history-texts.js";
import { requestLine } from "./request-line.js";

/**
 * @typedef {import("./appointments.js").Appointment} Appointment
 * @typedef {import("./history-texts.js").Step} Step
 * @typedef {import("./time-choice.js").Clinic} Clinic
 */

/**
 * The dialog with every step of an appointment: when, what, and by whom.
 *
 * @returns {{open: (clinic: Clinic, appointment: Appointment) => void}}
 */
export function historyDialog() {
  const heading = element("h2", { id: "history-title" });
  const lead = element("p", { className: "dialog-lead" });
  const steps = element("ol", { className: "history-steps" });
  const close = element("button", { type: "button", className: "button is-primary", "data-close": "" }, t("issue.done"));
  /** @type {Clinic | null} */
  let clinic = null;
  let own = 0;
  const line = requestLine({ loading: t("history.loading"), arrived: "", failed: t("history.failed") }, (answer) => {
    const found = /** @type {Step[]} */ (answer.steps);
    if (clinic !== null) steps.replaceChildren(...found.map((step, index) => makeStep(step, found[index - 1], /** @type {Clinic} */ (clinic), own)));
  });
  const dialog = element(
    "dialog",
    { id: "history", className: "dialog is-wide", "aria-labelledby": heading.id },
    heading,
    lead,
    steps,
    line.element,
    element("div", { className: "dialog-actions" }, close),
  );
  close.addEventListener("click", () => dialog.close());
  line.cancelWith(dialog);
  document.body.append(dialog);
  return {
    open(site, appointment) {
      clinic = site;
      own = appointment.id;
      setText(heading, t("history.title", { name: whoseName(appointment) }));
      setText(lead, momentOf(appointment.local_start));
      steps.replaceChildren();
      line.request(`/api/v1/sites/${site.siteId}/appointments/${appointment.id}/history`);
      dialog.showModal();
    },
  };
}

/**
 * @param {Step} step
 * @param {Step | undefined} previous
 * @param {Clinic} clinic
 * @param {number} own  the appointment
 */
function makeStep(step, previous, { zone, providers }, own) {
  const provider = (/** @type {number} */ id) => providers.find((each) => each.id === id)?.name ?? t("history.former_provider");
  const what = whatHappened(step, { appointment: own, moment: momentOf, time: timeOf, provider });
  const why = whyIt(step, previous);
  const { username, key } = whoDidIt(step);
  const who = username === undefined ? t(key) : t("history.by.member", { name: username });
  return element(
    "li",
    { className: "history-step" },
    element("time", { className: "history-when", dateTime: new Date(step.at).toISOString() }, t("appointment.moment", { day: formatDay(step.at, zone), time: formatTime(step.at, zone) })),
    element("p", { className: "history-what" }, t(what.key, what.values)),
    ...(why === null ? [] : [element("p", { className: "history-why" }, t(why.key, why.values))]),
    element("p", { className: "history-who" }, who),
  );
}
