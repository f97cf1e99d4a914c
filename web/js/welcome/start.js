/** The first run: the administrator's account, the clinic, and its services. The server knows how far it has come. */

import { showReaderSettings } from "../components/reader-settings.js";
import { find, setText } from "../shared/dom.js";
import { addTexts, loadLanguage, t } from "../shared/i18n.js";
import { request } from "../shared/request.js";
import { currentSession, homeOf, keepSessionFresh } from "../shared/session.js";
import { startAccount } from "./account.js";
import { startClinic } from "./clinic.js";
import { startServices } from "./services.js";

/**
 * @typedef {import("../shared/session.js").Session} Session
 * @typedef {import("../shared/session.js").Site} Site
 * @typedef {"account" | "clinic" | "services"} Step
 */

const STEPS = /** @type {Step[]} */ (["account", "clinic", "services"]);
const HOME = "/admin";

/** Start the page at the step that comes next. */
export async function startWelcome() {
  addTexts("welcome");
  await loadLanguage();
  showReaderSettings(find("[data-tools]"));
  const trouble = find("[data-trouble]");
  try {
    await open();
  } catch {
    setText(trouble, t("error.unreachable"));
    setTimeout(() => location.reload(), 5000);
  }
}

async function open() {
  const answer = await request("/api/v1/setup");
  if (!answer.ok) throw new Error(`the set-up answered ${answer.status}`);
  const isOpen = (await answer.json()).open;
  if (isOpen) {
    startAccount(() => void openAsStaff().catch(() => location.reload()));
    showStep("account");
  } else await openAsStaff();
}

/** Go on as the administrator who is signed in. Anybody else has nothing to do on this page. */
async function openAsStaff() {
  const session = await currentSession();
  if (session === null) location.replace("/sign-in?next=%2Fwelcome");
  else if (!session.user.may.includes("add-site")) location.replace(homeOf(session.user.role));
  else await openNext(session);
}

/** @param {Session} session */
async function openNext({ sites }) {
  keepSessionFresh();
  const [site] = sites;
  if (site === undefined) openClinic(null, []);
  else if (await isEmpty(site)) openServices(site);
  else location.replace(HOME);
}

/**
 * @param {Site | null} site  the clinic, if the step repeats
 * @param {string[]} languages  its other languages
 */
function openClinic(site, languages) {
  startClinic(site, languages, openServices);
  showStep("clinic");
}

/** @param {Site} site */
function openServices(site) {
  startServices(site, {
    done: () => location.assign(HOME),
    back: async () => openClinic(site, (await configurationOf(site)).rules.languages),
  });
  showStep("services");
}

/**
 * Return whether a site has no queue yet.
 *
 * @param {Site} site
 */
async function isEmpty(site) {
  const { queues, points } = await configurationOf(site);
  return queues.length === 0 && points.length === 0;
}

/** @param {Site} site @returns {Promise<{queues: object[], points: object[], rules: {languages: string[]}}>} */
async function configurationOf({ id }) {
  const answer = await request(`/api/v1/sites/${id}`);
  if (!answer.ok) throw new Error(`the site answered ${answer.status}`);
  return answer.json();
}

/** @param {Step} step */
function showStep(step) {
  const moved = document.body.dataset.step !== "opening";
  document.body.dataset.step = step;
  for (const each of document.querySelectorAll("[data-at]")) /** @type {HTMLElement} */ (each).hidden = each.getAttribute("data-at") !== step;
  const here = STEPS.indexOf(step);
  for (const [place, each] of STEPS.entries()) {
    const mark = find(`[data-mark=${each}]`);
    mark.classList.toggle("is-done", place < here);
    if (place === here) mark.setAttribute("aria-current", "step");
    else mark.removeAttribute("aria-current");
  }
  const section = find(`[data-at=${step}]`);
  const title = find("h1", section);
  document.title = `${title.textContent} · Now Serving`;
  scrollTo(0, 0);
  if (moved) title.focus({ preventScroll: true }); // a screen reader reads the new step from its title on
  else Array.from(section.querySelectorAll("input")).find((each) => each.offsetParent !== null)?.focus();
}
