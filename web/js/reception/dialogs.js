/**
 * The dialogs of the reception page. The two that follow key upon key load with the page. The others load when they are
 * first opened, or when the page has been open for a moment: `web/markup/reception-dialogs.html` has their markup.
 */

import { transferDialog } from "../desk/transfer-dialog.js";
import { find, loadStyle } from "../shared/dom.js";
import { formatTime, t } from "../shared/i18n.js";
import { MARKUP, showMessage } from "./actions.js";
import { issueDialog } from "./issue-dialog.js";
import { lazyDialog, withMarkup } from "../desk/lazy-dialog.js";

/**
 * @typedef {import("../desk/keyboard.js").KeySettings} KeySettings
 * @typedef {import("./actions.js").DeskActions} DeskActions
 * @typedef {import("./state.js").DeskState} DeskState
 * @typedef {ReturnType<typeof receptionDialogs>} Dialogs
 */

const REST_MS = 3_000;
const MINUTE_MS = 60_000;

/**
 * @param {DeskState} state
 * @param {DeskActions} actions
 * @param {KeySettings} keys
 * @param {ReturnType<typeof import("./lazy-day.js").lazyDay>} day
 */
export function receptionDialogs(state, actions, keys, day) {
  const issue = issueDialog(
    dialog("issue"),
    (body) => state.orders.send("issue-ticket", body),
    (id) => void actions.print(id),
    (appointmentId) => void day.checkIn(appointmentId),
  );
  const transfer = transferDialog(dialog("transfer"), (entryId, queue, providerId) => actions.transfer(entryId, queue, providerId));
  const late = { ...entryDialogs(state, actions), ...deskDialogs(state, actions, keys) };
  setTimeout(() => void loadAll(late, actions, state.maySetUpDevices, day), REST_MS);
  return { issue, transfer, ...late };
}

/**
 * The dialogs for one entry.
 *
 * @param {DeskState} state
 * @param {DeskActions} actions
 */
function entryDialogs({ connection, orders, site }, actions) {
  return {
    move: lazyDialog(async () => {
      const { moveDialog } = await withMarkup(MARKUP, import("./move-dialog.js"));
      return moveDialog(dialog("move"), (entry, behind, reason) => {
        void actions.run("move", { entry_id: entry.id, behind_entry_id: behind, reason }, { label: entry.label });
      });
    }, showUnreachable),
    amend: lazyDialog(async () => {
      const [{ amendDialog }, lines] = await Promise.all([withMarkup(MARKUP, import("./amend-dialog.js")), import("../desk/contact-part.js")]);
      return amendDialog(dialog("amend"), await lines.contactPart(), async ({ id, label }, changed) => {
        await orders.send("amend-visit", { entry_id: id, ...changed });
        showMessage(t("done.amend-visit", { label }), "done");
      });
    }, showUnreachable),
    priority: lazyDialog(async () => {
      const { priorityDialog } = await withMarkup(MARKUP, import("./priority-dialog.js"));
      return priorityDialog(dialog("priority"), ({ id, label }, priority, reason) => {
        const words = { label, priority: t(`priority.${priority}`).toLowerCase() };
        void actions.run("reprioritise", { entry_id: id, priority, reason }, words);
      });
    }, showUnreachable),
    runningLate: lazyDialog(async () => {
      const { lateDialog } = await withMarkup(MARKUP, import("./late-dialog.js"));
      return lateDialog(dialog("late"), ({ id, label }, minutes) => {
        const time = formatTime(connection.now() + minutes * MINUTE_MS, site.time_zone);
        const done = minutes === 0 ? "running-late.here" : "running-late";
        void actions.run("running-late", { entry_id: id, minutes }, { label, time, done });
      });
    }, showUnreachable),
    cancel: lazyDialog(async () => {
      const { cancelDialog } = await withMarkup(MARKUP, import("./cancel-dialog.js"));
      return cancelDialog(dialog("cancel"), ({ id, label }, reason) => void actions.run("cancel", { entry_id: id, reason }, { label }));
    }, showUnreachable),
  };
}

/**
 * The dialogs for the desk itself: points, displays, the site's message, the keys.
 *
 * @param {DeskState} state
 * @param {DeskActions} actions
 * @param {KeySettings} keys
 */
function deskDialogs(state, actions, keys) {
  const { site, orders } = state;
  const display = lazyDialog(async () => {
    const { displayDialog } = await withMarkup(MARKUP, import("./display-dialog.js"));
    return displayDialog(dialog("display"), ({ id, name }, queues, points) => {
      void actions.run("change-display", { display_id: id, queue_ids: queues, point_ids: points }, { name });
    });
  }, showUnreachable);
  return {
    display,
    point: lazyDialog(async () => {
      const { pointDialog } = await withMarkup(MARKUP, import("./point-dialog.js"));
      return pointDialog(dialog("point"), {
        may: state.may,
        act: (name, body, words) => void actions.run(name, body, words),
        choose: (id) => state.choosePoint(id),
      });
    }, showUnreachable),
    message: lazyDialog(async () => {
      const { messageDialog } = await withMarkup(MARKUP, import("./message-dialog.js"));
      return messageDialog(dialog("message"), (text) => void actions.run("broadcast-message", { site_id: site.id, message: text }, {}));
    }, showUnreachable),
    keys: lazyDialog(async () => {
      const [{ keysDialog }] = await Promise.all([import("../desk/keys-dialog.js"), loadStyle("keys-dialog")]);
      return keysDialog(dialog("keys"), keys, (action) => !find(`[data-action="${action}"]`).hidden);
    }, showUnreachable),
    pair: lazyDialog(async () => {
      const { pairDialog } = await withMarkup(MARKUP, import("./pair-dialog.js"));
      return pairDialog(dialog("pair"), {
        add: async (name, kind) => {
          const { events } = await orders.send(`add-${kind}`, { site_id: site.id, name });
          return events.map((event) => event[`${kind}_id`]).find((id) => id !== undefined) ?? 0;
        },
        pair: (code, deviceId) => orders.enterCode(code, deviceId),
        chooseCalls: (desk, shown) => void display.open(desk, shown),
        signOut: ({ id, name }) => void actions.run("revoke-token", { device_id: id }, { name }),
        paired: (name) => showMessage(t("done.pair", { name }), "done"),
      });
    }, showUnreachable),
  };
}

/**
 * Load every dialog and the slip, so that the cached page has them while the network is away.
 *
 * @param {Record<string, {load: () => Promise<unknown>}>} dialogs
 * @param {DeskActions} actions
 * @param {boolean} maySetUpDevices
 * @param {ReturnType<typeof import("./lazy-day.js").lazyDay>} day
 */
async function loadAll({ pair, display, ...others }, actions, maySetUpDevices, day) {
  const all = [...Object.values(others), ...(maySetUpDevices ? [pair, display] : [])].flatMap((each) => each ?? []);
  await Promise.allSettled([...all.map(({ load }) => load()), actions.loadSlip(), day.loadDialogs()]);
  const offline = await import("../shared/offline.js").catch(() => null); // while the network is away, the page keeps its former copy
  await offline?.cachePage("/reception");
}

/**
 * @param {string} id
 * @returns {HTMLDialogElement}
 */
const dialog = (id) => /** @type {HTMLDialogElement} */ (find(`#${id}`));

/** Say that the server does not answer, where a part of the page cannot load. */
export const showUnreachable = () => showMessage(t("error.unreachable"), "error");
