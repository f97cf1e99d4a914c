import { showLive } from "../components/live-mark.js";
import { showPageTools } from "../components/page-tools.js";
import { errorMessage } from "../desk/error-messages.js";
import { KeySettings, pressButtonsByKeys } from "../desk/keyboard.js";
import { keysDialog } from "../desk/keys-dialog.js";
import { Orders } from "../desk/orders.js";
import { RETRY_MS, leaveToSignIn, whenSignedIn } from "../desk/session-start.js";
import { clearTabMemory, saveView, savedSession, savedView } from "../desk/tab-memory.js";
import { transferDialog } from "../desk/transfer-dialog.js";
import { follow } from "../live/connection.js";
import { roomOf, showRoom, showRoomUndoSeconds } from "../room/console.js";
import { element, find, setText } from "../shared/dom.js";
import { loadLanguage, t } from "../shared/i18n.js";
import { LatestRequest } from "../shared/latest-request.js";
import { forget, recall, remember } from "../shared/memory.js";
import { cachePage } from "../shared/offline.js";
import { keepSessionFresh, refreshSession, signOut } from "../shared/session.js";

/**
 * @typedef {import("../shared/session.js").Session} Session
 * @typedef {import("../shared/session.js").Site} Site
 * @typedef {{id: number, name: string}} Named
 */

const ROOM = "room";
const TICK_MS = 10_000;
const SECOND_MS = 1_000;
const KEEP_MS = 3_000;
// The keys that this page has a use for.
const USED = new Set(["call-next", "recall", "start", "complete", "no-show", "transfer", "undo", "keys"]);

const trouble = find("[data-trouble]");
const asker = new LatestRequest();

await loadLanguage();
showPageTools(find("[data-tools]"));
setTimeout(() => void cachePage("/room"), 3_000);
find("[data-sign-out]").addEventListener("click", async () => {
  clearTabMemory();
  await signOut().catch(() => {});
  location.assign("/");
});
find("[data-change]").addEventListener("click", () => {
  forget(ROOM);
  location.reload();
});

await whenSignedIn(welcome, (away) => setText(trouble, away ? t("error.unreachable") : ""));

/** @param {Session} session */
async function welcome({ sites }) {
  if (sites.length === 0) {
    setText(trouble, t("desk.no_site"));
    return;
  }
  keepSessionFresh();
  const [siteId, pointId] = (recall(ROOM) ?? "").split(":").map(Number);
  const site = sites.find(({ id }) => id === siteId);
  if (site !== undefined && pointId) attend(site, pointId);
  else await choose(sites);
}

/**
 * Ask once which room this is; the browser remembers. While a site does not answer, all are asked again.
 *
 * @param {Site[]} sites
 */
async function choose(sites) {
  const described = await Promise.all(sites.map((site) => new LatestRequest().ask(`/api/v1/sites/${site.id}`).catch(() => null)));
  const whole = !described.includes(null);
  setText(trouble, whole ? "" : t("error.unreachable"));
  if (!whole) setTimeout(() => void choose(sites), RETRY_MS);
  const rooms = sites.flatMap((site, index) =>
    (described[index]?.points ?? []).map((/** @type {Named} */ point) => ({ site, point, providers: described[index]?.providers ?? [] })),
  );
  find(".room-choices").replaceChildren(
    ...rooms.map(({ site, point, providers }) => {
      const there = providers.find((/** @type {Named} */ { id }) => id === point.provider_id)?.name;
      const button = element(
        "button",
        { type: "button", className: "button room-choice-button" },
        element("span", {}, point.name),
        element("span", { className: "room-choice-more" }, there ?? (sites.length > 1 ? site.name : "")),
      );
      button.dataset.choose = String(point.id);
      button.addEventListener("click", () => {
        remember(ROOM, `${site.id}:${point.id}`);
        location.reload();
      });
      return element("li", {}, button);
    }),
  );
  find("[data-no-rooms]").hidden = rooms.length > 0 || !whole;
  find("[data-choice]").hidden = rooms.length === 0 && !whole;
  find(".live-mark").hidden = true;
}

/**
 * @param {Site} site
 * @param {number} pointId
 */
function attend(site, pointId) {
  const main = find("[data-console]");
  const message = find("[data-message]");
  const kept = savedView(`point:${pointId}`);
  const connection = follow(`/live/points/${pointId}`, kept);
  const orders = new Orders(connection, leaveToSignIn);
  let room = roomOf(connection.view.cells);
  find("[data-change]").hidden = false;

  /** @param {string} text @param {"done" | "error"} kind */
  function tell(text, kind) {
    message.dataset.kind = kind;
    setText(message, text);
  }

  /** Return the step that can be taken back: the guest's last, or else what was last done here. */
  function undoable() {
    const now = connection.now();
    const { guest } = room;
    if (guest?.undo && guest.undo_until !== null && guest.undo_until > now) {
      return { entry: guest.entry, label: guest.label, step: guest.undo, until: guest.undo_until };
    }
    return guest === null && orders.last !== null && orders.last.until > now ? orders.last : null;
  }

  function paint() {
    const { point, day } = room;
    if (point === null) return;
    setText(find("[data-room]"), point.provider === null ? point.name : `${point.name} · ${point.provider}`);
    document.title = point.name;
    setText(find("[data-day]"), [t("room.day", { n: day.served }), ...(day.no_shows ? [t("room.no_shows", { n: day.no_shows })] : [])].join(" · "));
    showRoom(main, room, { undo: undoable(), now: connection.now() });
  }

  const live = () =>
    showLive(connection, { page: "room", mark: find(".live-mark"), notice: find(".notice"), zone: site.time_zone });
  connection.addEventListener("view", () => {
    room = roomOf(connection.view.cells);
    main.hidden = false;
    paint();
    keeping ??= setTimeout(keepNow, KEEP_MS);
  });
  connection.addEventListener("state", () => {
    live();
    if (connection.refusal === 401) void comeBack();
  });
  live();
  if (kept !== null) {
    main.hidden = false;
    paint();
  }
  setInterval(paint, TICK_MS);
  setInterval(() => {
    const undo = undoable();
    showRoomUndoSeconds(main, undo, connection.now());
    if (undo === null && !(/** @type {HTMLButtonElement} */ (find('[data-action="undo"]')).disabled)) paint();
  }, SECOND_MS);

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let keeping;
  function keepNow() {
    clearTimeout(keeping);
    keeping = undefined;
    if (connection.view.cells.size > 0 && savedSession() !== null) saveView(`point:${pointId}`, connection.view, connection.heardAt);
  }
  window.addEventListener("pagehide", keepNow);

  /** The stream was refused for want of a session: renew it, or have it begun anew. */
  async function comeBack() {
    if (await refreshSession().catch(() => false)) connection.open();
    else leaveToSignIn();
  }

  orders.addEventListener("change", () => {
    if (orders.doing) main.setAttribute("aria-busy", "true");
    else main.removeAttribute("aria-busy");
  });

  /**
   * @param {string} name
   * @param {Record<string, unknown>} body
   * @param {Record<string, string>} words
   * @param {() => void} [again]
   */
  async function act(name, body, words, again = () => {}) {
    try {
      const answer = await orders.act(name, body, again);
      if (answer === null) return;
      tell(t(`done.${name}`, { ...words, label: answer.entry?.label ?? words.label ?? "" }), "done");
    } catch (error) {
      tell(errorMessage(error, words), "error");
    }
    paint();
  }

  const sending = transferDialog(/** @type {HTMLDialogElement} */ (find("#transfer")), (entryId, queue, providerId) => {
    const body = { entry_id: entryId, queue_id: queue.id, ...(providerId === null ? {} : { provider_id: providerId }) };
    void act("transfer", body, { label: room.guest?.label ?? "", queue: queue.name });
  });
  const keys = new KeySettings();
  const keysSheet = keysDialog(/** @type {HTMLDialogElement} */ (find("#keys")), keys, (action) => USED.has(action));

  /** Ask where there is to send to: a room's own view has only what is its own. */
  async function sendOn() {
    const { guest } = room;
    if (guest === null) return;
    try {
      const described = await asker.ask(`/api/v1/sites/${site.id}`);
      if (described === null) return;
      const queues = described.queues.map((/** @type {any} */ queue, /** @type {number} */ position) => ({ ...queue, position }));
      sending.open({ id: guest.entry, label: guest.label }, queues.filter((/** @type {Named} */ { name }) => name !== guest.queue), described.providers);
    } catch {
      tell(t("error.unreachable"), "error");
    }
  }

  /** @param {string} action */
  function press(action) {
    const { point, guest } = room;
    const again = () => press(action);
    const words = { label: guest?.label ?? "", point: point?.name ?? "" };
    switch (action) {
      case "keys":
        keysSheet.open();
        break;
      case "transfer":
        void sendOn();
        break;
      case "call-next":
      case "open-point":
      case "break-point":
        void act(action, { point_id: pointId }, words, again);
        break;
      case "undo": {
        const step = undoable();
        if (step) void act(action, { entry_id: step.entry }, { ...words, label: step.label }, again);
        break;
      }
      default:
        if (guest) void act(action, { entry_id: guest.entry }, words, again);
    }
  }

  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-action]"))) {
    button.addEventListener("click", () => press(button.dataset.action ?? ""));
  }
  pressButtonsByKeys(keys, (button) => orders.doing && orders.later(() => button.disabled || button.click()));
}
