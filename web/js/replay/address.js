/** The instant in the address of the page: a link that shows a colleague the same screen at the same time. */

/** @typedef {{site: number | null, screen: string | null, at: number | null, date: string | null}} Linked */

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const SCREEN = /^(desk|calendar|display|(display|kiosk|point):\d{1,16})$/;

/**
 * Return what an address asks for; null for a part that is absent or makes no sense.
 *
 * @param {string} search
 * @returns {Linked}
 */
export function readAddress(search) {
  const asked = new URLSearchParams(search);
  const screen = asked.get("screen") ?? "";
  const at = Date.parse(asked.get("at") ?? "");
  const date = asked.get("date") ?? "";
  return { site: Number(asked.get("site")) || null, screen: SCREEN.test(screen) ? screen : null, at: Number.isNaN(at) ? null : at, date: DATE.test(date) ? date : null };
}

/**
 * Return the address of an instant.
 *
 * @param {string} address  of the page
 * @param {{site: number, screen: string, at: string, date: string | null}} shown  `at` with its offset
 */
export function addressOf(address, { site, screen, at, date }) {
  const made = new URL(address);
  made.search = "";
  made.hash = "";
  made.searchParams.set("site", String(site));
  made.searchParams.set("screen", screen);
  made.searchParams.set("at", at);
  if (date !== null) made.searchParams.set("date", date);
  return made.href;
}
