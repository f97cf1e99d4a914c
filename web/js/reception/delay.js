/** The delay of the clinic: its dialog, and the section that shows an announced one. */

import { element, find, setText } from "../shared/dom.js";
import { formatTime, t } from "../shared/i18n.js";
import { delayDialog } from "./delay-dialog.js";

/**
 * Add the section of an announced delay; return the dialog that announces one.
 *
 * @param {import("./state.js").DeskState} state
 * @param {import("./actions.js").DeskActions} actions
 */
export function startDelay(state, actions) {
  const dialog = delayDialog(state.site.id, (minutes) => {
    const words = { minutes: t("patient.late.minutes", { n: minutes }) };
    void actions.run("announce-delay", { site_id: state.site.id, minutes }, words);
  });
  const heading = element("h2", { id: "delay-heading" }, t("desk.delay.shown"));
  const text = element("p", { "data-delay-text": "" });
  const end = element("button", { className: "button is-quiet", type: "button", "data-end-delay": "" }, t("desk.delay.end"));
  const section = element("section", { "aria-labelledby": heading.id, "data-delay": "" }, heading, text, end);

  end.addEventListener("click", () => void actions.run("withdraw-delay", { site_id: state.site.id }, {}));
  find("[data-site-message]").after(section);

  function show() {
    const late = state.desk.site?.late ?? null;
    section.hidden = late === null;
    if (late === null) return;
    setText(text, t("desk.delay.since", { minutes: t("patient.late.minutes", { n: late.minutes }), time: formatTime(late.since, state.site.time_zone) }));
  }
  state.addEventListener("change", show);
  show();
  return { open: () => dialog.open(state.desk.site?.late?.minutes ?? null) };
}
