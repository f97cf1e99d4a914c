/** The choice of the room, which the browser remembers. */

import { RETRY_MS } from "../desk/staff-session.js";
import { element, find, setText, updateList } from "../shared/dom.js";
import { nameIn, t } from "../shared/i18n.js";
import { LatestRequest } from "../shared/latest-request.js";
import { forget, recall, remember } from "../shared/memory.js";

/**
 * @typedef {import("../shared/session.js").Site} Site
 * @typedef {{id: number, name: string}} Named
 * @typedef {{points: (Named & {provider_id: number | null, names: Record<string, string>})[], providers: Named[]}} Described  a site's rooms
 * @typedef {{site: Site, point: Described["points"][number], providers: Named[]}} Room
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
 * Show the rooms of all sites to choose from. A site that does not answer is asked again.
 *
 * @param {Site[]} sites
 * @param {HTMLElement} trouble  shows that a site does not answer
 * @param {Map<number, Described>} [described]  the sites that have answered, by id
 */
export async function offerRooms(sites, trouble, described = new Map()) {
  const missing = sites.filter(({ id }) => !described.has(id));
  const answers = missing.map(({ id }) => new LatestRequest().get(`/api/v1/sites/${id}`).then((answer) => described.set(id, answer)));
  await Promise.allSettled(answers);
  const complete = described.size === sites.length;
  setText(trouble, complete ? "" : t("error.unreachable"));
  if (!complete) setTimeout(() => void offerRooms(sites, trouble, described), RETRY_MS);
  const rooms = sites.flatMap((site) => {
    const { points = [], providers = [] } = described.get(site.id) ?? {};
    return points.map((point) => ({ site, point, providers }));
  });
  const make = (/** @type {Room} */ room) => makeChoice(room, sites.length > 1);
  updateList(find(".room-choices"), rooms, ({ point }) => point.id, make, () => {});
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
    element("span", {}, nameIn(point.name, point.names)),
    element("span", { className: "room-choice-more" }, provider ?? (nameSite ? site.name : "")),
  );
  button.dataset.choose = String(point.id);
  button.addEventListener("click", () => {
    remember(ROOM, `${site.id}:${point.id}`);
    location.reload();
  });
  return element("li", {}, button);
}
