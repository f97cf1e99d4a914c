import { element, updateList } from "../shared/dom.js";
import { t } from "../shared/i18n.js";

const MOST_DOTS = 12;

/**
 * Show how the queue ahead of a patient has become shorter: a dot for each patient who was ahead, and one for the patient.
 * With more than 12 ahead there is a plain line instead of dots.
 *
 * @param {HTMLElement} line
 * @param {number} ahead      how many are ahead now
 * @param {number} mostAhead  how many were ahead at first
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
