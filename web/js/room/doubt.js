import { element, find, setText } from "../shared/dom.js";
import { formatTime, t } from "../shared/i18n.js";

/**
 * Ask "Still here?" about the patient who was called or in service before an outage. The other answers are the usual buttons.
 *
 * @param {import("./state.js").RoomState} state
 * @param {import("./actions.js").RoomActions} actions
 */
export function showDoubt(state, actions) {
  const words = element("p", { role: "status" });
  const confirm = element("button", { type: "button", className: "button", "data-confirm": "" }, t("doubt.confirm"));
  const box = element("div", { className: "room-past-call", "data-doubt": "" }, words, confirm);
  find(".room-row").before(box);
  confirm.addEventListener("click", async () => {
    const { guest } = state.room;
    if (guest === null) return;
    await actions.run("confirm", { entry_id: guest.entry }, { label: guest.label });
    /** @type {HTMLElement | null} */ (document.querySelector(".room-primary:not([hidden], :disabled)"))?.focus();
  });

  function paint() {
    const { guest, zone } = state.room;
    const doubt = guest?.doubt ?? null;
    box.hidden = doubt === null;
    if (guest === null || doubt === null) return;
    setText(words, t("doubt.question", { label: guest.label, from: formatTime(doubt.offline_from, zone), until: formatTime(doubt.offline_until, zone) }));
  }
  state.addEventListener("change", paint);
  paint();
}
