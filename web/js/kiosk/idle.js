/** The idle screen of a kiosk: its queues with their lines, or when the site opens again. Also a past kiosk is drawn by it. */

import { find, setText } from "../shared/dom.js";
import { formatDay, formatTime, t } from "../shared/i18n.js";
import { isOpen, opensAt } from "./opening.js";
import { isGiving, queuesOf, showQueues } from "./queue-buttons.js";

/**
 * @typedef {import("../live/cells.js").KioskSite} Site
 * @typedef {import("../live/cells.js").Kiosk} KioskCell
 */

/**
 * Paint the idle screen. Returns whether the site is open, and the number of pages of queues.
 *
 * @param {import("../live/cells.js").Cells} cells
 * @param {{kiosk: KioskCell | undefined, now: number, page: number, isLive: boolean}} look  see `showQueues`
 */
export function paintIdle(cells, { kiosk, now, page, isLive }) {
  /** @type {Site | undefined} */
  const site = cells.get("site");
  const queues = queuesOf(cells);
  const open = site !== undefined && isOpen(now, site);
  const list = find("[data-queues]");
  list.hidden = !open || queues.length === 0;
  const pages = list.hidden ? 1 : showQueues(list, queues, { now, page, isLive });
  find("[data-more]").hidden = pages === 1;
  find("[data-appointment]").hidden = !open || kiosk === undefined || kiosk.check_in === "off";
  document.body.dataset.open = String(open);
  const [title, lead] = idleTexts(site, now, { open, giving: open && queues.some(isGiving), count: queues.length });
  setText(find("[data-welcome]"), title);
  setText(find("[data-welcome-lead]"), lead);
  return { open, pages };
}

/**
 * Return the two sentences of the idle screen: the condition, and the next step.
 *
 * @param {Site | undefined} site
 * @param {number} now
 * @param {{open: boolean, giving: boolean, count: number}} look
 * @returns {[string, string]}
 */
function idleTexts(site, now, { open, giving, count }) {
  if (site !== undefined && !open) {
    const at = opensAt(now, site);
    const lead = at === null ? t("kiosk.closed.ask") : t("kiosk.closed.until", { day: formatDay(at, site.time_zone), time: formatTime(at, site.time_zone) });
    return [t("kiosk.closed"), lead];
  }
  if (!giving) return [t("kiosk.none"), t("kiosk.none.lead")];
  return [t("kiosk.welcome"), t(count === 1 ? "kiosk.take" : "kiosk.choose")];
}
