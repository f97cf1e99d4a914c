/** The columns of queues, the list of points and the list of devices: clicks, arrow keys and dragging. */

import { find } from "../shared/dom.js";
import { entryAboveDrop, neighboursOf } from "./desk.js";
import { dragRows } from "./row-drag.js";
import { selectRows } from "./row-selection.js";

/**
 * @typedef {import("./state.js").DeskState} DeskState
 * @typedef {import("./actions.js").DeskActions} DeskActions
 * @typedef {import("./dialogs.js").Dialogs} Dialogs
 * @typedef {{state: DeskState, actions: DeskActions, dialogs: Dialogs}} Parts
 */

/** @param {Parts} parts */
export function connectLists(parts) {
  const { state, dialogs } = parts;
  connectColumns(parts);
  find("[data-points]").addEventListener("click", ({ target }) => {
    const id = idAt(target, "point");
    const point = state.desk.points.find((each) => each.id === id);
    if (point && state.may("open-point")) void dialogs.point.open(state.desk, point, state.pointId);
  });
  find(".display-list").addEventListener("click", ({ target }) => {
    const id = idAt(target, "device");
    const device = [...state.desk.displays, ...state.desk.kiosks].find((each) => each.id === id);
    if (device && state.maySetUpDevices) void dialogs.pair.open(state.desk, device);
  });
  find("[data-open-message]").addEventListener("click", () => void dialogs.message.open(state.desk.site?.message ?? null));
  find("[data-open-pair]").addEventListener("click", () => void dialogs.pair.open(state.desk, null));
}

/** @param {Parts} parts */
function connectColumns(parts) {
  const { state, actions } = parts;
  const columns = find("[data-columns]");
  selectRows(columns, (id) => state.select(id));
  dragRows(columns, (dropped) => dropRow(dropped, parts));
  columns.addEventListener("click", ({ target }) => {
    const id = idAt(target, "pause");
    const queue = state.desk.queues.find((each) => each.id === id);
    if (queue) void actions.run(queue.paused ? "open-queue" : "pause-queue", { queue_id: queue.id }, { queue: queue.name });
  });
}

/**
 * Transfer a row that was dropped on another queue, or ask for the reason of its new place in its own queue.
 *
 * @param {import("./row-drag.js").Dropped} dropped
 * @param {Parts} parts
 */
function dropRow({ entry: id, queue, before }, { state, dialogs }) {
  const { desk } = state;
  const entry = desk.entries.get(id);
  const to = desk.queues.find((each) => each.id === queue);
  if (entry === undefined || to === undefined) return;
  if (queue !== entry.queue) {
    dialogs.transfer.to(entry, to, desk.providers, desk.points);
    return;
  }
  if (!state.may("move")) return;
  const order = (desk.open.get(queue) ?? []).map((each) => each.id);
  void dialogs.move.open(desk, entry, entryAboveDrop(neighboursOf(desk, entry), order, before));
}

/**
 * Return the id in the data attribute of the element that was clicked, or NaN.
 *
 * @param {EventTarget | null} target
 * @param {"point" | "device" | "pause"} name
 */
function idAt(target, name) {
  const found = /** @type {HTMLElement | null} */ (target instanceof Element ? target.closest(`[data-${name}]`) : null);
  return Number(found?.dataset[name]);
}
