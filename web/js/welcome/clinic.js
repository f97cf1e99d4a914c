/** The second step: the clinic's name, its languages, and its time zone, confirmed by its clock. */

import { showFieldError } from "../components/field-error.js";
import { sendCommand } from "../shared/commands.js";
import { element, find, setText } from "../shared/dom.js";
import { LANGUAGE_NAMES, currentLanguage, t, useClock } from "../shared/i18n.js";
import { ask } from "../shared/staff-requests.js";
import { onSubmit, textOf } from "./forms.js";
import { allZones, clockOf, findZones, nameOfZone, zoneOfDevice } from "./zones.js";

/** @typedef {import("../shared/session.js").Site} Site */

const CLOCK_EVERY_MS = 1000;
/** @type {ReturnType<typeof setInterval> | undefined} */
let ticking;

/**
 * @param {Site | null} site  if the step repeats
 * @param {string[]} languages  its other languages
 * @param {(site: Site) => void} done
 */
export function startClinic(site, languages, done) {
  const form = /** @type {HTMLFormElement} */ (find("form[data-clinic]"));
  const name = /** @type {HTMLInputElement} */ (find("[name=name]", form));
  const language = /** @type {HTMLSelectElement} */ (find("[name=language]", form));
  const others = find("[data-languages]", form);
  let zone = site?.time_zone ?? zoneOfDevice();
  const { hour12 } = new Intl.DateTimeFormat(navigator.language, { hour: "numeric" }).resolvedOptions();
  useClock(hour12 ? "12" : "24"); // as the reader's own country writes it

  name.value = site?.name ?? name.value;
  const tags = /** @type {[string, string][]} */ (Object.entries(LANGUAGE_NAMES));
  language.replaceChildren(...tags.map(([tag, text]) => element("option", { value: tag, lang: tag }, text)));
  language.value = site?.language ?? currentLanguage();
  others.replaceChildren(
    ...tags.map(([tag, text]) =>
      element("label", { className: "choice" }, element("input", { type: "checkbox", value: tag, checked: languages.includes(tag) }), element("span", { lang: tag }, text)),
    ),
  );
  const checks = Array.from(others.querySelectorAll("input"));
  const showOthers = () => {
    for (const each of checks) /** @type {HTMLElement} */ (each.parentElement).hidden = each.value === language.value;
  };
  language.onchange = showOthers;
  showOthers();

  const showClock = () => setText(find("[data-zone-question]", form), t("welcome.zone.question", { time: clockOf(zone) }));
  const showZone = () => {
    showClock();
    setText(find("[data-zone-name]", form), nameOfZone(zone));
  };
  clearInterval(ticking);
  ticking = setInterval(showClock, CLOCK_EVERY_MS);
  showZone();
  startSearch(form, (chosen) => {
    zone = chosen;
    showZone();
  });

  onSubmit(form, async () => {
    const typed = name.value.trim();
    showFieldError(name, typed ? "" : t("welcome.clinic.name.missing"));
    if (!typed) {
      name.focus();
      return;
    }
    const more = checks.filter((each) => each.checked && each.value !== language.value).map((each) => each.value);
    const body = { name: typed, time_zone: zone, language: language.value, languages: more };
    const { body: made, error } = site === null ? await ask("/api/v1/sites", { method: "POST", body }) : await change(site, body);
    if (error === undefined) {
      clearInterval(ticking);
      done(made);
    } else if (error.code === "name_taken") {
      showFieldError(name, textOf(error));
      name.focus();
    } else setText(find("[data-form-error]", form), textOf(error));
  });
}

/**
 * Change a site that an earlier run of this step has made.
 *
 * @param {Site} site
 * @param {{name: string, time_zone: string, language: string, languages: string[]}} body
 * @returns {ReturnType<typeof ask>}
 */
async function change(site, body) {
  const changed = { body: { ...site, ...body } };
  try {
    await sendCommand("change-site", { site_id: site.id, ...body });
    return changed;
  } catch (error) {
    const { code, details } = /** @type {{code: string, details: Record<string, any>}} */ (error);
    if (code === "unreachable") throw error;
    return code === "nothing_changed" ? changed : { error: { code, details } };
  }
}

/**
 * @param {HTMLFormElement} form
 * @param {(zone: string) => void} chosen
 */
function startSearch(form, chosen) {
  const opener = /** @type {HTMLButtonElement} */ (find("[data-change-zone]", form));
  const panel = find("#zone-search", form);
  const text = /** @type {HTMLInputElement} */ (find("#zone-text", form));
  const list = find("[data-zones]", form);
  const none = find("[data-zones-none]", form);
  const zones = allZones();

  opener.onclick = () => {
    panel.hidden = !panel.hidden;
    opener.setAttribute("aria-expanded", String(!panel.hidden));
    if (!panel.hidden) text.focus();
  };
  /** @param {string} zone */
  const choose = (zone) => {
    const radio = element("input", { type: "radio", name: "zone", value: zone });
    radio.addEventListener("change", () => chosen(zone));
    const time = element("span", { className: "zone-time" }, clockOf(zone));
    return element("label", { className: "choice" }, radio, element("span", {}, nameOfZone(zone)), time);
  };
  text.oninput = () => {
    const found = findZones(text.value, zones);
    list.replaceChildren(...found.map(choose));
    setText(none, text.value.trim() !== "" && found.length === 0 ? t("welcome.zone.none") : "");
  };
  text.onkeydown = (event) => {
    if (event.key !== "Enter") return; // the first one found, not the whole form
    event.preventDefault();
    /** @type {HTMLInputElement | null} */ (list.querySelector("input"))?.click();
  };
}
