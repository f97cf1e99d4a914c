import { element, updateList } from "../shared/dom.js";
import { t } from "../shared/i18n.js";

const MOST_DOTS = 12;

/**
 * Show how the line before somebody has become shorter: a dot for each who was ahead, and one for themselves. A very long
 * line is shown by its length alone.
 *
 * @param {HTMLElement} line
 * @param {number} ahead      how many are before them now
 * @param {number} mostAhead  how many were at first
 */
export function showProgress(line, ahead, mostAhead) {
  const past = Math.max(0, mostAhead - ahead);
  const dots = mostAhead <= MOST_DOTS ? mostAhead : 0;
  line.style.setProperty("--done", (past / Math.max(1, mostAhead)).toFixed(3));
  line.setAttribute("aria-label", t("ticket.progress", { n: past, all: mostAhead }));
  updateList(
    line,
    [...Array(dots + 1).keys()],
    (index) => index,
    () => element("span", { className: "progress-dot" }),
    (dot, index) => {
      dot.classList.toggle("is-past", index < past && index < dots);
      dot.classList.toggle("is-me", index === dots);
    },
  );
}
