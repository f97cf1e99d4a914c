import { setText } from "../shared/dom.js";
import { formatTime, t } from "../shared/i18n.js";

/** @typedef {import("../live/connection.js").Connection} Connection */

/**
 * Show whether what this page shows is true now: on the body for its styles, in a quiet mark, and, once it is not, in a
 * notice that is also spoken. The notice's words are the page's own: `{page}.stale` (or `stale`) and `{page}.refused`.
 *
 * @param {Connection} connection
 * @param {{page: string, mark: Element | null, notice: HTMLElement, zone: string | undefined,
 *   stale?: string}} where
 */
export function showLive(connection, { page, mark, notice, zone, stale = `${page}.stale` }) {
  const { state } = connection;
  const since = formatTime(connection.heardAt, zone);
  document.body.dataset.live = state;
  if (mark !== null) setText(mark, t(`live.${state}`, { time: since }));
  const troubled = state === "stale" || state === "refused";
  setText(notice, troubled ? t(state === "stale" ? stale : `${page}.${state}`, { time: since }) : "");
  notice.classList.toggle("is-shown", troubled);
}
