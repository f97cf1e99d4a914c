import { showLive } from "../components/live-mark.js";
import { find, setText } from "../shared/dom.js";
import { loadPart, named, t } from "../shared/i18n.js";
import { showRoom, showRoomUndoSeconds } from "./console.js";

/** @typedef {import("./state.js").RoomState} RoomState */

const TICK_MS = 10_000;
const SECOND_MS = 1_000;

/**
 * Paint the page whenever its state changes, and as time passes.
 *
 * @param {RoomState} state
 * @param {boolean} atOnce  paint now: the state holds a saved view
 */
export function startPainting(state, atOnce) {
  const { connection, orders, site } = state;
  const main = find("[data-console]");
  /** @type {typeof import("./today.js") | null} */
  let today = null;
  let loading = false;
  const paint = () => {
    paintRoom(main, state);
    const { cells } = connection.view;
    const look = { now: connection.now(), language: state.room.language };
    if (today !== null) today.showToday(find("[data-today]"), cells, look);
    else if (!loading && hasAppointments(cells)) void loadToday();
  };
  async function loadToday() {
    loading = true;
    try {
      [today] = await Promise.all([import("./today.js"), loadPart("appointments")]);
      paint();
    } catch {
      loading = false; // the next paint tries again
    }
  }
  const paintLive = () => showLive(connection, { page: "room", mark: find(".live-mark"), notice: find(".notice"), zone: site.time_zone });
  const reveal = () => {
    main.hidden = false;
  };
  connection.addEventListener("view", reveal);
  connection.addEventListener("state", paintLive);
  state.addEventListener("change", paint);
  orders.addEventListener("change", () => {
    if (orders.doing) main.setAttribute("aria-busy", "true");
    else main.removeAttribute("aria-busy");
  });
  paintLive();
  if (atOnce) {
    reveal();
    paint();
  }
  setInterval(paint, TICK_MS);
  setInterval(() => {
    const undo = state.undoStep();
    showRoomUndoSeconds(main, undo, connection.now());
    if (undo === null && !(/** @type {HTMLButtonElement} */ (find('[data-action="undo"]')).disabled)) paint();
  }, SECOND_MS);
}

/** @param {import("../live/cells.js").Cells} cells */
function hasAppointments(cells) {
  for (const key of cells.keys()) if (key.startsWith("appointment:")) return true;
  return false;
}

/**
 * @param {HTMLElement} main
 * @param {RoomState} state
 */
function paintRoom(main, state) {
  const { connection, room } = state;
  if (room.point === null) return;
  const { day } = room;
  const point = named(room.point);
  const counts = [t("room.day", { n: day.served }), ...(day.no_shows ? [t("room.no_shows", { n: day.no_shows })] : [])];
  setText(find("[data-room]"), point.provider === null ? point.name : `${point.name} · ${point.provider}`);
  document.title = point.name;
  setText(find("[data-day]"), counts.join(" · "));
  showRoom(main, room, { undo: state.undoStep(), now: connection.now() });
}
