/** Time zones as people look for them: by a city, with the time that its clocks show now. */

import { currentLanguage, formatTime } from "../shared/i18n.js";

const MOST_FOUND = 6;

/** Return the zone of this device, or UTC if it does not know. */
export function zoneOfDevice() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return zone && zone !== "Etc/Unknown" ? zone : "UTC";
}

/** Return all zones that this browser knows. @returns {string[]} */
export const allZones = () => Intl.supportedValuesOf("timeZone");

/** Return the city of a zone: "Buenos Aires". @param {string} zone */
const cityOf = (zone) => (zone.split("/").at(-1) ?? zone).replaceAll("_", " ");

/**
 * Return the name of a zone for people: its city and the name of its time.
 *
 * @param {string} zone
 */
export function nameOfZone(zone) {
  const named = new Intl.DateTimeFormat(currentLanguage(), { timeZone: zone, timeZoneName: "longGeneric" }).formatToParts();
  const time = named.find(({ type }) => type === "timeZoneName")?.value ?? zone;
  return zone.includes("/") ? `${cityOf(zone)} · ${time}` : time;
}

/** Return the time that the clocks of a zone show now. @param {string} zone */
export const clockOf = (zone) => formatTime(Date.now(), zone);

/** Return a text for comparing: without case and accents. @param {string} text */
const folded = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replaceAll("_", " ");

/**
 * Return the zones that match what somebody types, the best first. A word may be the begin of a city, a region or the name
 * of a time.
 *
 * @param {string} typed
 * @param {readonly string[]} zones
 * @param {(zone: string) => string} nameOf
 * @returns {string[]}
 */
export function findZones(typed, zones, nameOf = nameOfZone) {
  const wanted = folded(typed).split(/[\s/,]+/).filter(Boolean);
  if (wanted.length === 0) return [];
  /** @type {[number, string][]} */
  const found = [];
  for (const zone of zones) {
    const city = folded(cityOf(zone));
    const words = folded(`${zone} ${city}`).split(/[\s/_·-]+/);
    if (wanted.every((each) => words.some((word) => word.startsWith(each)))) found.push([city.startsWith(wanted.join(" ")) ? 0 : 1, zone]);
  }
  // The names of times take long to make: only if no city fits.
  if (found.length === 0) {
    for (const zone of zones) {
      const words = folded(nameOf(zone)).split(/[\s·-]+/);
      if (wanted.every((each) => words.some((word) => word.startsWith(each)))) found.push([2, zone]);
    }
  }
  return found.sort(([one, a], [other, b]) => one - other || a.localeCompare(b)).slice(0, MOST_FOUND).map(([, zone]) => zone);
}
