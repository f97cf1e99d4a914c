/** The start page of the demo. Only the demo serves it, together with `/demo/doors`: see `server/demo.py`. */

import { showReaderSettings } from "../components/reader-settings.js";
import { element, find, setText } from "../shared/dom.js";
import { addTexts, loadLanguage, t } from "../shared/i18n.js";
import { currentSession, hasSignedInBefore, signIn } from "../shared/session.js";

/**
 * @typedef {{username: string, password: string, role: string}} Member
 * @typedef {{id: number, token: string}} Device
 * @typedef {{site_id: number, display: Device, kiosk: Device, ticket: string, appointment: string, staff: Member[],
 *   yours: string}} Doors
 */

// The roles that can use each screen. A user with one of them stays signed in, because another page may be open.
const SUITABLE = new Map([
  ["receptionist", ["receptionist", "admin"]],
  ["clinician", ["clinician", "receptionist", "admin"]],
]);

addTexts("index");
await loadLanguage();
showReaderSettings(find("[data-tools]"));

const message = find("[data-message]");
const failed = () => setText(message, t("index.demo.failed"));

try {
  const answer = await fetch("/demo/doors");
  if (!answer.ok) throw new Error(`the demo answered ${answer.status}`);
  show(await answer.json());
} catch {
  failed();
}

/** @param {Doors} doors */
function show({ site_id: siteId, display, kiosk, ticket, appointment, staff, yours }) {
  link("[data-display]").href = `/display/${display.id}?token=${encodeURIComponent(display.token)}`;
  link("[data-kiosk]").href = `/kiosk/${kiosk.id}?token=${encodeURIComponent(kiosk.token)}`;
  link("[data-join]").href = `/join/${siteId}`;
  link("[data-patient]").href = `/t/${encodeURIComponent(ticket)}`;
  link("[data-book]").href = `/book/${siteId}`;
  link("[data-appointment]").href = `/a/${encodeURIComponent(appointment)}`;
  for (const member of staff) {
    for (const door of document.querySelectorAll(`[data-as="${member.role}"]`)) {
      if (door instanceof HTMLAnchorElement) signInBy(door, member, yours);
    }
  }
  find("[data-sign-ins]").replaceChildren(
    ...staff.flatMap(({ username, password, role }) => [
      element("dt", {}, t(`role.${role}`)),
      element("dd", {}, `${username} / ${password}`),
    ]),
  );
  document.body.classList.add("is-loaded");
}

/**
 * Let a link sign in as the member of staff who uses its screen.
 *
 * @param {HTMLAnchorElement} door
 * @param {Member} member
 * @param {string} point
 */
function signInBy(door, { username, password, role }, point) {
  const about = find("[data-about]", door.parentElement ?? document);
  setText(about, t(about.dataset.about ?? "", { name: username, point }));
  door.addEventListener("click", async (event) => {
    event.preventDefault();
    try {
      const session = hasSignedInBefore() ? await currentSession() : null;
      const suits = session !== null && (SUITABLE.get(role) ?? [role]).includes(session.user.role);
      if (suits || (await signIn(username, password)).user) location.assign(door.href);
      else failed();
    } catch {
      failed();
    }
  });
}

/** @param {string} selector */
function link(selector) {
  return /** @type {HTMLAnchorElement} */ (find(selector));
}
