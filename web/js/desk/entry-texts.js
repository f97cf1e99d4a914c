/** The texts and times of an entry that reception and the rooms both show. */

import { formatTime, loadPart, t } from "../shared/i18n.js";
import { wordsOf } from "./folding.js";

/**
 * @typedef {import("../live/cells.js").Need} Need
 * @typedef {import("../live/cells.js").Gone} Gone
 */

/** @typedef {{unreached: import("../live/cells.js").UnreachedMessage | null}} Marked  an entry or an appointment */

/** The words for messages that did not arrive, once the first mark has loaded them. @type {typeof import("./unreached.js") | null} */
export let markWords = null;

/**
 * Load the words if a patient has a mark, and call `then` when they are there.
 *
 * @param {readonly Marked[]} patients
 * @param {() => void} then
 */
export function readMarks(patients, then) {
  if (markWords !== null || !patients.some(({ unreached }) => unreached)) return;
  Promise.all([import("./unreached.js"), loadPart("unreached")]).then(([words]) => {
    if (markWords === null) {
      markWords = words;
      then();
    }
  }, () => {}); // the next change tries again
}

/** Whether staff may still tell the patient. @param {Marked | null} patient */
export const isUnreached = (patient) => patient?.unreached?.told === false;

/** Names that were folded before: every paint asks for all of them. @type {Map<string, string>} */
const foldedNames = new Map();
const MOST_FOLDED = 5_000;

/**
 * Return the names that several of the patients have, folded.
 *
 * @param {Iterable<{name: string | null}>} patients
 * @returns {Set<string>}
 */
export function sharedNames(patients) {
  const seen = new Set();
  const shared = new Set();
  for (const { name } of patients) {
    const folded = foldedName(name);
    if (folded !== "" && seen.has(folded)) shared.add(folded);
    seen.add(folded);
  }
  return shared;
}

/**
 * Return a name for comparison: its words in order of the alphabet, so that "Garcia, Maria" is "Maria Garcia".
 *
 * @param {string | null} name
 */
function foldedName(name) {
  if (name === null) return "";
  let folded = foldedNames.get(name);
  if (folded === undefined) {
    if (foldedNames.size >= MOST_FOLDED) foldedNames.clear();
    folded = wordsOf(name).sort().join(" ");
    foldedNames.set(name, folded);
  }
  return folded;
}

/**
 * Return the marks that distinguish a patient from another patient of the same name: that the name is shared, and the year
 * of birth.
 *
 * @param {{name: string | null, born: number | null}} patient
 * @param {Set<string>} shared  see `sharedNames`
 * @param {{always?: boolean}} [year]  always: the year is also shown for a name that nobody shares
 * @returns {{kind: string, text: string}[]}
 */
export function namesakeMarks({ name, born }, shared, { always = false } = {}) {
  const isShared = shared.has(foldedName(name));
  const marks = [];
  if (isShared) marks.push({ kind: "namesake", text: t("patient.namesake") });
  if (born !== null && (isShared || always)) marks.push({ kind: "born", text: t("patient.born", { year: String(born) }) });
  return marks;
}

/**
 * Return a language's name, in the reader's language.
 *
 * @param {string} tag
 */
export function languageName(tag) {
  try {
    return new Intl.DisplayNames([document.documentElement.lang || "en"], { type: "language" }).of(tag) ?? tag;
  } catch {
    return tag; // not a valid tag
  }
}

/**
 * Return why a patient is next: the rule that decided it.
 *
 * @param {{why: string, before: string | null, minutes: number}} next
 * @param {string} priority
 */
export function nextReason({ why, before, minutes }, priority) {
  return t(`reason.${why}`, { before: before ?? "", n: minutes, priority: t(`priority.${priority}`).toLowerCase() });
}

/**
 * Return why a point is free: its last called patient left or needs time. "" if neither.
 *
 * @param {{gone: Gone | null}} point
 * @param {string | undefined} zone  the site's time zone
 */
export function goneText({ gone }, zone) {
  if (gone === null) return "";
  return t(`guest.gone.${gone.state}`, { label: gone.label, time: formatTime(gone.absent_until ?? 0, zone) });
}

/**
 * Return whether a room has called a patient and then forgotten the call: it no longer stands, and staff decide.
 *
 * @param {{stands_until?: number | null}} entry
 * @param {number} now  the server's time in milliseconds
 */
export const isPastCall = ({ stands_until: until }, now) => until != null && now >= until;

/**
 * Return the marks of a patient, in this order: test, priority, needs, language, party size, own phone, absence. A usual value
 * has no mark.
 *
 * @param {{party: number, priority: string, needs: Need[] | null, language: string, away: number, delay: number,
 *   by_phone?: boolean, trial?: boolean}} patient
 * @param {string | undefined} language  the site's, which has no mark
 * @returns {{kind: string, text: string}[]}
 */
export function patientMarks({ party, priority, needs, language: theirs, away, delay, by_phone: phone, trial }, language) {
  const marks = [];
  if (trial) marks.push({ kind: "trial", text: t("desk.trial") });
  if (priority !== "standard") marks.push({ kind: priority, text: t(`priority.${priority}`) });
  for (const need of needs ?? []) marks.push({ kind: "need", text: t(`desk.need.${need}`) });
  if (language !== undefined && theirs !== language) marks.push({ kind: "language", text: languageName(theirs) });
  if (party > 1) marks.push({ kind: "party", text: t("desk.party", { n: party }) });
  if (phone === true) marks.push({ kind: "phone", text: t("desk.by_phone") });
  if (delay > 0) marks.push({ kind: "away", text: t("desk.away", { n: away, later: delay }) });
  return marks;
}

/**
 * Return the note of a message that did not reach the patient, in a list of one.
 *
 * @param {Marked} patient
 * @param {"markOf" | "detailOf"} [words]  `detailOf`: with the reason
 */
export const unreachedMarks = ({ unreached }, words = "markOf") => (unreached && markWords !== null ? [markWords[words](unreached)] : []);

/**
 * Return what is happening to the patient at a point, and for how long: "called 2 min ago".
 *
 * @param {{state: string, since: number, stands_until?: number | null}} guest
 * @param {number} now  the server's time in milliseconds
 */
export function stageText({ state, since, stands_until }, now) {
  const n = minutesBetween(since, now);
  if (isPastCall({ stands_until }, now)) return t("point.called.past", { n });
  return t(n === 0 ? `point.${state}.now` : `point.${state}`, { n });
}

/**
 * Return the whole minutes between two instants; 0 if the second is earlier.
 *
 * @param {number} from   milliseconds since 1970
 * @param {number} until  milliseconds since 1970
 */
export function minutesBetween(from, until) {
  return Math.max(0, Math.floor((until - from) / 60_000));
}
