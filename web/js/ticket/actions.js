import { CommandFailed, sendCommand } from "../shared/commands.js";
import { element, find, setText } from "../shared/dom.js";
import { formatDay, formatTime, t } from "../shared/i18n.js";
import { NO_RESULT } from "./page.js";
import { wasCalled } from "./ticket-view.js";

/** @typedef {import("./page.js").TicketPage} TicketPage */

const LATE_MINUTES = [5, 10, 15, 20, 30, 45];
const NEEDED_MINUTES = [2, 5, 10, 15, 20, 30]; // of a patient who was called
const MINUTE_MS = 60_000;

/**
 * Let the patient say that they are late or need time, are back, are coming, or leave.
 *
 * @param {TicketPage} page
 */
export function connectActions(page) {
  const late = dialogOf("#late");
  const leave = dialogOf("#leave");
  find("[data-late]").addEventListener("click", () => {
    const called = wasCalled(page.ticket);
    setText(find("h2", late), t(called ? "patient.need.title" : "patient.late.title"));
    setText(find("[data-late-lead]", late), t(called ? "patient.need.lead" : "patient.late.lead"));
    const offered = called ? NEEDED_MINUTES : LATE_MINUTES;
    find("[data-minutes]", late).replaceChildren(...offered.map((minutes) => makeChoice(page, late, minutes)));
    late.showModal();
  });
  find("[data-leave]").addEventListener("click", () => leave.showModal());
  find("[data-leave-now]").addEventListener("click", () => {
    leave.close();
    void run(page, "leave", {}, () => t("patient.leave.done"));
  });
  find("[data-here]").addEventListener("click", () => void run(page, "running-late", { minutes: 0 }, () => t("patient.here.done")));
  find("[data-coming]").addEventListener("click", () => page.stopAlert());
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

/**
 * @param {TicketPage} page
 * @param {HTMLDialogElement} late
 * @param {number} minutes
 */
function makeChoice(page, late, minutes) {
  const choice = element("button", { className: "button", type: "button" }, t("patient.late.minutes", { n: minutes }));
  choice.dataset.minutes = String(minutes);
  choice.addEventListener("click", () => {
    late.close();
    const back = page.connection.now() + minutes * MINUTE_MS;
    void run(page, "running-late", { minutes }, () => t("patient.late.done", { time: formatTime(back, page.ticket?.time_zone) }));
  });
  return choice;
}

/**
 * Send a command and show how it went. The buttons are disabled meanwhile.
 *
 * @param {TicketPage} page
 * @param {string} name
 * @param {Record<string, unknown>} body
 * @param {() => string} done  returns the message of success
 */
async function run(page, name, body, done) {
  const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (page.main.querySelectorAll(".ticket-actions .button"));
  for (const each of buttons) each.disabled = true;
  page.result = NO_RESULT;
  try {
    await sendCommand(name, { entry_id: page.ticket?.entry, ...body }, page.token);
    page.result = () => ({ text: done(), refused: false });
  } catch (error) {
    const key = errorKey(error);
    page.result = () => ({ text: t(key), refused: true });
  } finally {
    for (const each of buttons) each.disabled = false;
    page.paint();
  }
}

/** @param {unknown} error */
function errorKey(error) {
  const code = error instanceof CommandFailed ? error.code : "";
  if (code === "unreachable") return "patient.unreachable";
  return code.startsWith("entry_") ? "patient.no_longer" : "patient.failed";
}

/**
 * Print the ticket with its QR code and the time of printing.
 *
 * @param {TicketPage} page
 */
export function connectPrinting(page) {
  const stamp = () => {
    const zone = page.ticket?.time_zone;
    const now = page.connection.now();
    setText(find("[data-printed]"), `${formatDay(now, zone)}, ${formatTime(now, zone)}`);
  };
  find("[data-print]").addEventListener("click", async () => {
    /** @type {HTMLImageElement} */
    const code = find("[data-code]");
    if (code.hidden) {
      code.src = `/api/v1/${page.kind}/${encodeURIComponent(page.token)}/qr.svg`;
      await code.decode().then(() => (code.hidden = false)).catch(() => {});
    }
    stamp();
    window.print();
  });
  window.addEventListener("beforeprint", stamp);
}
