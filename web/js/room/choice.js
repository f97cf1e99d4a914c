/** The choice of the room, which the browser remembers. */

import { RETRY_MS } from "../desk/staff-session.js";
import { element, find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { LatestRequest } from "../shared/latest-request.js";
import { forget, recall, remember } from "../shared/memory.js";

/**
 * @typedef {import("../shared/session.js").Site} Site
 * @typedef {{id: number, name: string}} Named
 * @typedef {{site: Site, point: Named & {provider_id: number | null}, providers: Named[]}} Room
 */

const ROOM = "room";

/** Forget the room, so that the page asks for it again. */
export const forgetRoom = () => forget(ROOM);

/**
 * Return the room that this browser remembers, or null if it has none at these sites.
 *
 * @param {Site[]} sites
 * @returns {{site: Site, pointId: number} | null}
 */
export function chosenRoom(sites) {
  const [siteId, pointId] = (recall(ROOM) ?? "").split(":").map(Number);
  const site = sites.find(({ id }) => id === siteId);
  return site !== undefined && pointId ? { site, pointId } : null;
}

/**
 * Show the rooms of all sites to choose from. While a site does not answer, all are asked again.
 *
 * @param {Site[]} sites
 * @param {HTMLElement} trouble  shows that a site does not answer
 */
export async function offerRooms(sites, trouble) {
  const described = await Promise.all(sites.map((site) => new LatestRequest().get(`/api/v1/sites/${site.id}`).catch(() => null)));
  const complete = !described.includes(null);
  setText(trouble, complete ? "" : t("error.unreachable"));
  if (!complete) setTimeout(() => void offerRooms(sites, trouble), RETRY_MS);
  const rooms = sites.flatMap((site, index) =>
    (described[index]?.points ?? []).map((/** @type {Room["point"]} */ point) => ({ site, point, providers: described[index]?.providers ?? [] })),
  );
  find(".room-choices").replaceChildren(...rooms.map((room) => makeChoice(room, sites.length > 1)));
  find("[data-no-rooms]").hidden = rooms.length > 0 || !complete;
  find("[data-choice]").hidden = rooms.length === 0 && !complete;
  find(".live-mark").hidden = true;
}

/**
 * @param {Room} room
 * @param {boolean} nameSite  name the site of a room without a provider
 */
function makeChoice({ site, point, providers }, nameSite) {
  const provider = providers.find(({ id }) => id === point.provider_id)?.name;
  const button = element(
    "button",
    { type: "button", className: "button room-choice-button" },
    element("span", {}, point.name),
    element("span", { className: "room-choice-more" }, provider ?? (nameSite ? site.name : "")),
  );
  button.dataset.choose = String(point.id);
  button.addEventListener("click", () => {
    remember(ROOM, `${site.id}:${point.id}`);
    location.reload();
  });
  return element("li", {}, button);
}
