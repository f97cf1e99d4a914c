/** The question after the visit: how it was, from 1 to 5, and a text. The clinic gets the answer without a name. */

import { element, find, loadStyle, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { isFromServer, refusalOf, request } from "../shared/request.js";

/** @typedef {import("../ticket/page.js").TicketPage} TicketPage */

const SCORES = [1, 2, 3, 4, 5];
const LONGEST = 500;

/**
 * Ask the patient how the visit was, if the clinic wants to know it and the patient has not answered yet.
 *
 * @param {TicketPage} page
 */
export async function askForFeedback(page) {
  const address = `/api/v1/tickets/${encodeURIComponent(page.token)}/feedback`;
  const answer = await request(address);
  if (!answer.ok || !(await answer.json()).wanted) return;
  await loadStyle("feedback");
  const place = element("section", { className: "feedback" });
  place.setAttribute("aria-labelledby", "feedback-title");
  const show = () => place.replaceChildren(...formOf(place, address));
  page.addEventListener("language", () => {
    if (find("form", place) !== null) show();
  });
  show();
  const alone = page.ticket === undefined; // the ticket is of an earlier day
  place.classList.toggle("is-alone", alone);
  find(alone ? ".patient-main" : ".ticket").append(place);
}

/**
 * Return the question with its form.
 *
 * @param {HTMLElement} place  where it stands
 * @param {string} address     where the answer goes
 */
function formOf(place, address) {
  const choices = SCORES.map((score) => {
    const input = element("input", { type: "radio", name: "score", value: String(score), required: true });
    return element("label", { className: "choice" }, input, element("span", {}, t(`feedback.score.${score}`)));
  });
  const text = element("textarea", { id: "feedback-text", rows: 3, maxLength: LONGEST });
  const error = element("p", { className: "field-error", role: "alert" });
  const form = element(
    "form",
    { noValidate: true },
    element("fieldset", { className: "choices" }, element("legend", { className: "hidden" }, t("feedback.title")), element("div", { className: "choice-list is-column" }, ...choices)),
    element("div", { className: "field" }, element("label", { htmlFor: text.id }, t("feedback.text")), text),
    error,
    element("button", { className: "button is-primary", type: "submit" }, t("feedback.send")),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = /** @type {HTMLInputElement | null} */ (form.querySelector("input:checked"));
    if (chosen === null) setText(error, t("feedback.choose"));
    else void send(place, error, address, { score: Number(chosen.value), text: plain(text.value) || null });
  });
  return [element("h2", { id: "feedback-title" }, t("feedback.title")), element("p", { className: "field-hint" }, t("feedback.lead")), form];
}

/**
 * @param {HTMLElement} place
 * @param {HTMLElement} error
 * @param {string} address
 * @param {{score: number, text: string | null}} answer
 */
async function send(place, error, address, answer) {
  const options = { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify(answer) };
  const taken = await request(address, options).catch(() => null);
  const known = taken !== null && (isFromServer(taken) || refusalOf(taken) !== null);
  // The first answer may be the one whose receipt was lost.
  if (taken?.ok || (known && refusalOf(taken) === "feedback_given")) {
    const thanks = element("p", { className: "ticket-headline", tabIndex: -1 }, t("feedback.thanks"));
    thanks.setAttribute("role", "status");
    place.removeAttribute("aria-labelledby");
    place.replaceChildren(thanks);
    thanks.focus();
  } else setText(error, t("feedback.failed"));
}

/** Return a text on one line, as the server takes it. @param {string} text */
const plain = (text) => text.replace(/\s+/gu, " ").trim();
