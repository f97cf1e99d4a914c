import { showLive } from "../components/live-mark.js";
import { appointmentsMatching } from "../desk/appointments.js";
import { isUnreached, readMarks } from "../desk/entry-texts.js";
import { find, setText } from "../shared/dom.js";
import { t } from "../shared/i18n.js";
import { showActions, showUndoSeconds } from "./action-bar.js";
import { entriesMatching } from "./desk.js";
import { showDevices } from "./display-list.js";
import { offerPoints, showPoints } from "./point-list.js";
import { showQueues } from "./queue-column.js";
import { updateTabStop } from "./row-selection.js";

/** @typedef {import("./state.js").DeskState} DeskState */

const TICK_MS = 10_000;
const SECOND_MS = 1_000;

/**
 * Paint the page whenever its state changes, and as time passes.
 *
 * @param {DeskState} state
 * @param {boolean} atOnce  paint now: the state holds a saved view
 */
export function startPainting(state, atOnce) {
  const { connection, orders } = state;
  const parts = {
    bar: find(".action-bar"),
    columns: find("[data-columns]"),
    pointChoice: /** @type {HTMLSelectElement} */ (find("[data-point-select]")),
  };
  const { bar } = parts;
  /** The frame that draws the rows that the last one had no time for. @type {number | undefined} */
  let nextFrame;

  function paint() {
    readMarks([...state.desk.entries.values(), ...state.desk.appointments], () => state.changed());
    if (!paintAll(state, parts)) return;
    nextFrame ??= requestAnimationFrame(() => {
      nextFrame = undefined;
      paint();
    });
  }

  state.addEventListener("change", paint);
  connection.addEventListener("state", () => paintLive(state));
  orders.addEventListener("change", () => {
    if (orders.doing) bar.setAttribute("aria-busy", "true");
    else bar.removeAttribute("aria-busy");
  });
  paintLive(state);
  if (atOnce) paint();
  setInterval(paint, TICK_MS);
  setInterval(() => {
    const undo = state.undoStep();
    showUndoSeconds(bar, undo, connection.now());
    if (undo === null && !(/** @type {HTMLButtonElement} */ (find('[data-action="undo"]')).disabled)) paint();
  }, SECOND_MS);
}

/**
 * Paint everything but the live mark. Returns whether some rows are not up to date yet, for lack of time.
 *
 * @param {DeskState} state
 * @param {{bar: HTMLElement, columns: HTMLElement, pointChoice: HTMLSelectElement}} parts
 * @returns {boolean}
 */
function paintAll(state, { bar, columns, pointChoice }) {
  const { booking, connection, desk, may, maySetUpDevices: maySetUp, point, pointId: mine, searchText, selected, site } = state;
  const selectedId = selected?.id ?? null;
  const now = connection.now();
  const matching = searchText ? entriesMatching(desk.entries.values(), searchText) : null;
  const behind = showQueues(columns, desk, { now, point, chosen: selectedId, found: matching, may });
  updateTabStop(columns, selectedId);
  showPoints(find("[data-points]"), desk, { mine, now, mayWork: may("open-point") });
  offerPoints(pointChoice, desk, mine);
  showDevices(find("[data-displays]"), find("[data-display-alarm]"), desk, { zone: site.time_zone, maySetUp });
  find("[data-site-message]").hidden = !desk.site?.message;
  setText(find(".site-message"), desk.site?.message ?? "");
  find('[data-action="history"]').hidden = !may("read-history") || desk.appointments.length === 0;
  find('[data-action="clear-unreached"]').hidden = !may("clear-unreached") || !isUnreached(booking ?? state.subject);
  // The list of the day shows a selected appointment itself.
  if (booking === null) showActions(bar, desk, { mine, chosen: selected, undo: state.undoStep(), now });
  find("[data-day]").hidden = desk.appointments.length === 0;
  find('[data-action="book"]').hidden = !may("book") || desk.providers.length === 0 || desk.services.length === 0;
  const booked = matching === null ? [] : appointmentsMatching(desk.appointments, searchText);
  const found = matching === null ? 0 : matching.size + booked.filter(({ entry }) => !matching.has(entry ?? 0)).length;
  setText(find("[data-search-status]"), matching === null ? "" : t("desk.search.found", { n: found }));
  return behind;
}

/** @param {DeskState} state */
function paintLive({ connection, site }) {
  showLive(connection, { page: "desk", mark: find(".live-mark"), notice: find(".notice"), zone: site.time_zone });
}
