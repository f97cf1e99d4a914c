import { setText } from "../shared/dom.js";
import { formatTime, t } from "../shared/i18n.js";

/** @typedef {import("../live/connection.js").Connection} Connection */

/**
 * Show whether the page is up to date: in the body's `data-live` for the styles, in a small mark, and, when it is not, in a
 * notice that screen readers read out. The notice's texts are `{page}.stale` (or `stale`) and `{page}.refused`.
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
