import { loadStyle } from "../shared/dom.js";
import { loadPart, t } from "../shared/i18n.js";
import { showMessage } from "./actions.js";

/** @typedef {import("./state.js").DeskState} DeskState */

/** The actions that are the day's alone, also while an entry is chosen. */
const OWN = new Set(["book", "appointments", "history"]);

/**
 * The day's appointments. Their module, texts and styles load with the first appointment, or with the first key for them: a
 * clinic without appointments never loads them.
 *
 * @param {DeskState} state
 * @param {(action: string) => void} press  presses a button of the page
 */
export function lazyDay(state, press) {
  /** @type {import("./day.js").Day | null} */
  let day = null;
  /** @type {Promise<void> | null} */
  let loading = null;

  function load() {
    loading ??= loadDay().catch(() => {
      loading = null;
      throw new Error("the appointments do not load");
    });
    return loading;
  }

  async function loadDay() {
    const [{ startDay }] = await Promise.all([import("./day.js"), loadPart("appointments"), loadStyle("day")]);
    day = startDay(state, press);
    state.changed();
  }

  const loadForFirst = () => {
    if (day === null && state.desk.appointments.length > 0) void load().catch(() => {});
  };
  state.addEventListener("change", loadForFirst);
  loadForFirst();

  const showUnreachable = () => showMessage(t("error.unreachable"), "error");

  return {
    /** Load the dialogs of a clinic with appointments before their first use, for the time without a network. */
    async loadDialogs() {
      if (day === null) return;
      const { dialogs } = await day.actions();
      await Promise.all(Object.values(dialogs).map((dialog) => dialog.load()));
    },
    /** Check in the patient of an appointment. @param {number} appointmentId */
    async checkIn(appointmentId) {
      await load().catch(showUnreachable);
      const appointment = state.desk.appointments.find(({ id }) => id === appointmentId);
      if (appointment !== undefined) void (await day?.actions())?.checkIn(appointment, {});
    },
    /**
     * Do an action for the chosen appointment, or one of the day's own. Returns false for any other action.
     *
     * @param {string} action
     */
    press(action) {
      if (!OWN.has(action)) return day?.press(action) ?? false;
      load().then(() => day?.press(action), showUnreachable);
      return true;
    },
  };
}
