import { showLive } from "../components/live-mark.js";
import { showPageTools } from "../components/page-tools.js";
import { errorMessage } from "../desk/error-messages.js";
import { KeySettings, pressButtonsByKeys } from "../desk/keyboard.js";
import { Orders } from "../desk/orders.js";
import { leaveToSignIn, whenSignedIn } from "../desk/session-start.js";
import { clearTabMemory, saveView, savedSession, savedView } from "../desk/tab-memory.js";
import { transferDialog } from "../desk/transfer-dialog.js";
import { follow } from "../live/connection.js";
import { showActions, showUndoSeconds } from "../reception/action-bar.js";
import { deskOf, entriesMatching, guestOf } from "../reception/desk.js";
import { showDisplays } from "../reception/display-list.js";
import { issueDialog } from "../reception/issue-dialog.js";
import { lazyDialog } from "../reception/lazy-dialog.js";
import { moreMenu } from "../reception/more-menu.js";
import { hideForbidden, permissionsOf } from "../reception/permissions.js";
import { offerPoints, showPoints } from "../reception/point-list.js";
import { showQueues } from "../reception/queue-column.js";
import { entryAboveDrop, neighboursOf } from "../reception/queue-places.js";
import { dragRows } from "../reception/row-drag.js";
import { selectRows, updateTabStop } from "../reception/row-selection.js";
import { element, find, setText } from "../shared/dom.js";
import { formatTime, loadLanguage, t } from "../shared/i18n.js";
import { LatestRequest } from "../shared/latest-request.js";
import { recall, remember } from "../shared/memory.js";
import { cachePage } from "../shared/offline.js";
import { keepSessionFresh, refreshSession, signOut } from "../shared/session.js";

/**
 * @typedef {import("../reception/desk.js").Desk} Desk
 * @typedef {import("../reception/desk.js").Entry} Entry
 * @typedef {import("../shared/session.js").Session} Session
 * @typedef {import("../shared/session.js").Site} Site
 * @typedef {import("../shared/session.js").User} User
 */

const TICK_MS = 10_000;
const SECOND_MS = 1_000;
const KEEP_MS = 3_000;
const SEARCH_MS = 150;
const REST_MS = 3_000;
const MINUTE_MS = 60_000;
const A_LABEL = /^[a-z]\d{3,}$/i;

await loadLanguage();
showPageTools(find("[data-tools]"));

const message = find("[data-message]");
/** @param {string} id @returns {HTMLDialogElement} */
const dialog = (id) => /** @type {HTMLDialogElement} */ (find(`#${id}`));

await whenSignedIn(welcome, (away) => (away ? tell(t("error.unreachable"), "error") : tell("", "done")));

/** @param {Session} session */
function welcome({ user, sites }) {
  const remembered = Number(recall("site"));
  const site = sites.find(({ id }) => id === remembered) ?? sites[0];
  if (site === undefined) tell(t("desk.no_site"), "error");
  else attend(site, sites, user);
}

/**
 * Say how it went, until there is something else to say.
 *
 * @param {string} text
 * @param {"done" | "error"} kind
 */
function tell(text, kind) {
  message.dataset.kind = kind;
  setText(message, text);
}

/**
 * @param {Site} site
 * @param {Site[]} sites
 * @param {User} user
 */
function attend(site, sites, user) {
  keepSessionFresh();
  const may = permissionsOf(user);
  const maySetUp = may("pair-devices");
  const kept = savedView(`site:${site.id}`);
  const connection = follow(`/live/sites/${site.id}/desk`, kept);
  const bar = find(".action-bar");
  const columns = find("[data-columns]");
  const points = /** @type {HTMLSelectElement} */ (find("[data-point-select]"));
  const pointKey = `point:${site.id}`;
  let mine = Number(recall(pointKey)) || null;
  let desk = deskOf(connection.view.cells);
  /** The chosen entry. @type {number | null} */
  let chosen = null;
  let wanted = "";
  const orders = new Orders(connection, leaveToSignIn);
  const myPoint = () => desk.points.find(({ id }) => id === mine) ?? null;
  const chosenEntry = () => (chosen === null ? null : (desk.entries.get(chosen) ?? null));
  const subject = () => chosenEntry() ?? guestOf(desk, myPoint());

  const live = () =>
    showLive(connection, { page: "desk", mark: find(".live-mark"), notice: find(".notice"), zone: site.time_zone });

  /** The next frame in which to draw what this one had no time for. @type {number | undefined} */
  let going;

  function paint() {
    const now = connection.now();
    if (chosen !== null && !desk.entries.has(chosen)) chosen = null;
    const matching = wanted ? entriesMatching(desk.entries.values(), wanted) : null;
    const behind = showQueues(columns, desk, { now, point: myPoint(), chosen, found: matching, may });
    if (behind) {
      going ??= requestAnimationFrame(() => {
        going = undefined;
        paint();
      });
    }
    updateTabStop(columns, chosen);
    showPoints(find("[data-points]"), desk, { mine, now, mayWork: may("open-point") });
    offerPoints(points, desk, mine);
    showDisplays(find("[data-displays]"), find("[data-display-alarm]"), desk.displays, { zone: site.time_zone, maySetUp });
    find("[data-site-message]").hidden = !desk.site?.message;
    setText(find(".site-message"), desk.site?.message ?? "");
    showActions(bar, desk, { mine, chosen: chosenEntry(), undo: undoable(), now });
    setText(find("[data-search-status]"), matching === null ? "" : t("desk.search.found", { n: matching.size }));
  }

  /** Return the step that can be taken back: the chosen one's last, or else what was last done here. */
  function undoable() {
    const now = connection.now();
    const entry = chosenEntry();
    if (entry?.undo && entry.undo_until !== null && entry.undo_until > now) {
      return { entry: entry.id, label: entry.label, step: entry.undo, until: entry.undo_until };
    }
    const { last } = orders;
    if (last === null || last.until <= now) return null;
    // Somebody has gone on with them since: what would be taken back is not what was done here.
    const there = desk.entries.get(last.entry);
    return there !== undefined && there.undo !== last.step ? null : last;
  }

  /** @param {number | null} id */
  function choose(id) {
    if (chosen === id) return;
    chosen = id;
    paint();
  }

  connection.addEventListener("view", () => {
    desk = deskOf(connection.view.cells);
    if (mine !== null && !desk.points.some(({ id }) => id === mine)) mine = null;
    paint();
    keepLater();
  });
  connection.addEventListener("state", () => {
    live();
    if (connection.refusal === 401) void comeBack();
  });
  live();
  if (kept !== null) paint();
  setInterval(paint, TICK_MS);
  setInterval(() => {
    const undo = undoable();
    showUndoSeconds(bar, undo, connection.now());
    if (undo === null && !(/** @type {HTMLButtonElement} */ (find('[data-action="undo"]')).disabled)) paint();
  }, SECOND_MS);

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let keeping;
  /** Keep what is shown, now and then: a busy desk changes more often than it has to be written down. */
  function keepLater() {
    keeping ??= setTimeout(keepNow, KEEP_MS);
  }
  function keepNow() {
    clearTimeout(keeping);
    keeping = undefined;
    if (connection.view.cells.size > 0 && savedSession() !== null) saveView(`site:${site.id}`, connection.view, connection.heardAt);
  }
  window.addEventListener("pagehide", keepNow);

  /** The stream was refused for want of a session: renew it, or have it begun anew. */
  async function comeBack() {
    if (await refreshSession().catch(() => false)) connection.open();
    else leaveToSignIn();
  }

  orders.addEventListener("change", () => {
    if (orders.doing) bar.setAttribute("aria-busy", "true");
    else bar.removeAttribute("aria-busy");
  });

  /**
   * Do a command and say how it went.
   *
   * @param {string} name
   * @param {Record<string, unknown>} body
   * @param {Record<string, string>} words  for the sentence that says how it went; `done` names another than the usual one
   * @param {() => void} [again]
   */
  async function act(name, body, words, again = () => {}) {
    try {
      const answer = await orders.act(name, body, again);
      if (answer === null) return;
      const label = answer.entry?.label ?? words.label ?? "";
      tell(t(`done.${words.done ?? name}`, { ...words, label }), "done");
      if (name === "call-next" || name === "call") {
        // On with whoever was called: they are at my point now.
        if (document.activeElement instanceof HTMLElement && columns.contains(document.activeElement)) document.activeElement.blur();
        chosen = null;
      }
    } catch (error) {
      tell(errorMessage(error, words), "error");
    }
    paint();
  }

  /** @type {LatestRequest} */
  const slips = new LatestRequest();
  /** @param {number} entryId */
  async function print(entryId) {
    try {
      const slip = await slips.ask(`/api/v1/entries/${entryId}/slip`);
      const { printSlip } = await import("../reception/print-slip.js");
      if (slip !== null) await printSlip(find(".slip"), slip, connection.now());
    } catch {
      tell(t("error.slip"), "error");
    }
  }

  const issuing = issueDialog(dialog("issue"), (body) => orders.send("issue-ticket", body), (id) => void print(id));
  const transferring = transferDialog(dialog("transfer"), (entryId, queue, provider_id) => transfer(entryId, queue, provider_id));
  const keys = new KeySettings();

  // Those that are opened at once, by key after key, are here from the beginning; the others come when they are wanted.
  const failed = () => tell(t("error.unreachable"), "error");
  const moving = lazyDialog(async () => {
    const { moveDialog } = await import("../reception/move-dialog.js");
    return moveDialog(dialog("move"), (entry, behind, reason) => {
      void act("move", { entry_id: entry.id, behind_entry_id: behind, reason }, { label: entry.label });
    });
  }, failed);
  const amending = lazyDialog(async () => {
    const { amendDialog } = await import("../reception/amend-dialog.js");
    return amendDialog(dialog("amend"), ({ id, label }, changed) => {
      void act("amend-visit", { entry_id: id, ...changed }, { label });
    });
  }, failed);
  const reprioritising = lazyDialog(async () => {
    const { priorityDialog } = await import("../reception/priority-dialog.js");
    return priorityDialog(dialog("priority"), ({ id, label }, priority, reason) => {
      void act("reprioritise", { entry_id: id, priority, reason }, { label, priority: t(`priority.${priority}`).toLowerCase() });
    });
  }, failed);
  const runningLate = lazyDialog(async () => {
    const { lateDialog } = await import("../reception/late-dialog.js");
    return lateDialog(dialog("late"), ({ id, label }, minutes) => {
      const at = formatTime(connection.now() + minutes * MINUTE_MS, site.time_zone);
      const done = minutes === 0 ? "running-late.here" : "running-late";
      void act("running-late", { entry_id: id, minutes }, { label, time: at, done });
    });
  }, failed);
  const cancelling = lazyDialog(async () => {
    const { cancelDialog } = await import("../reception/cancel-dialog.js");
    return cancelDialog(dialog("cancel"), ({ id, label }, reason) => void act("cancel", { entry_id: id, reason }, { label }));
  }, failed);
  const pointing = lazyDialog(async () => {
    const { pointDialog } = await import("../reception/point-dialog.js");
    return pointDialog(dialog("point"), {
      may,
      act: (name, body, words) => void act(name, body, words),
      choose: (id) => {
        points.value = String(id);
        points.dispatchEvent(new Event("change"));
      },
    });
  }, failed);
  const messaging = lazyDialog(async () => {
    const { messageDialog } = await import("../reception/message-dialog.js");
    return messageDialog(dialog("message"), (text) => void act("broadcast-message", { site_id: site.id, message: text }, {}));
  }, failed);
  const keysSheet = lazyDialog(async () => {
    const { keysDialog } = await import("../desk/keys-dialog.js");
    return keysDialog(dialog("keys"), keys, (action) => !find(`[data-action="${action}"]`).hidden);
  }, failed);
  const pairing = lazyDialog(async () => {
    const { pairDialog } = await import("../reception/pair-dialog.js");
    return pairDialog(dialog("pair"), {
      add: async (name) => {
        const { events } = await orders.send("add-display", { site_id: site.id, name });
        return events.find(({ display_id: id }) => id !== undefined)?.display_id ?? 0;
      },
      pair: (code, deviceId) => orders.enterCode(code, deviceId),
      signOut: ({ id, name }) => void act("revoke-token", { device_id: id }, { name }),
      paired: (name) => tell(t("done.pair", { name }), "done"),
    });
  }, failed);

  // Once the page has had its time, they are fetched all the same, and kept with it for when the network is away.
  const seldom = [moving, amending, reprioritising, runningLate, cancelling, pointing, messaging, keysSheet];
  setTimeout(async () => {
    const all = [...seldom, ...(maySetUp ? [pairing] : [])].map(({ here }) => here());
    await Promise.allSettled([...all, import("../reception/print-slip.js")]);
    await cachePage("/reception");
  }, REST_MS);

  /**
   * @param {number} entryId
   * @param {{id: number, name: string}} queue
   * @param {number | null} providerId
   */
  function transfer(entryId, queue, providerId) {
    const entry = desk.entries.get(entryId);
    if (entry === undefined) tell(t("error.gone"), "error");
    else {
      const body = { entry_id: entry.id, queue_id: queue.id, ...(providerId === null ? {} : { provider_id: providerId }) };
      void act("transfer", body, { label: entry.label, queue: queue.name });
    }
  }

  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-action]"))) {
    button.addEventListener("click", () => press(button.dataset.action ?? ""));
  }

  hideForbidden(document, may);
  moreMenu(/** @type {HTMLButtonElement} */ (find('[data-action="more"]')), find("[data-more]"));

  /** @param {string} action */
  function press(action) {
    const point = myPoint();
    const entry = subject();
    const again = () => press(action);
    switch (action) {
      case "issue-ticket":
        issuing.open(desk);
        break;
      case "keys":
        void keysSheet.open();
        break;
      case "more": // it sees to itself
        break;
      case "search":
        search.focus();
        search.select();
        break;
      case "call-next":
        if (point) void act(action, { point_id: point.id }, { point: point.name }, again);
        break;
      case "call":
        if (entry && point) void act(action, { entry_id: entry.id, point_id: point.id }, { label: entry.label, point: point.name }, again);
        break;
      case "undo": {
        const step = undoable();
        if (step) void act(action, { entry_id: step.entry }, { label: step.label }, again);
        break;
      }
      case "transfer":
        if (entry) transferring.open(entry, desk.queues.filter(({ id }) => id !== entry.queue), desk.providers);
        break;
      case "move":
        if (entry) void moving.open(desk, entry);
        break;
      case "amend-visit":
        if (entry) void amending.open(desk, entry);
        break;
      case "reprioritise":
        if (entry) void reprioritising.open(entry);
        break;
      case "running-late":
        if (entry) void runningLate.open(entry);
        break;
      case "cancel":
        if (entry) void cancelling.open(entry);
        break;
      case "print":
        if (entry) void print(entry.id);
        break;
      default: {
        const at = desk.points.find(({ id }) => id === entry?.point) ?? point;
        if (entry) void act(action, { entry_id: entry.id }, { label: entry.label, point: at?.name ?? "" }, again);
      }
    }
  }

  selectRows(columns, choose);
  dragRows(columns, ({ entry: id, queue, before }) => {
    const entry = desk.entries.get(id);
    const to = desk.queues.find((each) => each.id === queue);
    if (entry === undefined || to === undefined) return;
    if (queue !== entry.queue) {
      transfer(id, to, null);
      return;
    }
    if (!may("move")) return;
    const order = (desk.open.get(queue) ?? []).map((each) => each.id);
    void moving.open(desk, entry, entryAboveDrop(neighboursOf(desk, entry), order, before));
  });
  columns.addEventListener("click", ({ target }) => {
    const button = target instanceof Element ? target.closest("[data-pause]") : null;
    const queue = desk.queues.find(({ id }) => id === Number(/** @type {HTMLElement | null} */ (button)?.dataset.pause));
    if (queue) void act(queue.paused ? "open-queue" : "pause-queue", { queue_id: queue.id }, { queue: queue.name });
  });
  find("[data-points]").addEventListener("click", ({ target }) => {
    const row = /** @type {HTMLElement | null} */ (target instanceof Element ? target.closest("[data-point]") : null);
    const point = desk.points.find(({ id }) => id === Number(row?.dataset.point));
    if (point && may("open-point")) void pointing.open(desk, point, mine);
  });
  find("[data-open-message]").addEventListener("click", () => void messaging.open(desk.site?.message ?? null));
  find("[data-open-pair]").addEventListener("click", () => void pairing.open(desk, null));
  find(".display-list").addEventListener("click", ({ target }) => {
    const row = /** @type {HTMLElement | null} */ (target instanceof Element ? target.closest("[data-display]") : null);
    const display = desk.displays.find(({ id }) => id === Number(row?.dataset.display));
    if (display && maySetUp) void pairing.open(desk, display);
  });

  points.addEventListener("change", () => {
    mine = Number(points.value) || null;
    remember(pointKey, points.value);
    paint();
  });

  const search = /** @type {HTMLInputElement} */ (find("[data-search]"));
  search.placeholder = t("action.search");
  const earlier = find("[data-earlier]");
  const asker = new LatestRequest();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let searching;
  search.addEventListener("input", () => {
    clearTimeout(searching);
    searching = setTimeout(seek, SEARCH_MS);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      search.value = "";
      seek();
      search.blur();
    } else if (event.key === "Enter" || event.key === "ArrowDown") {
      event.preventDefault();
      seek();
      /** @type {HTMLElement | null} */ (columns.querySelector("[data-entry]"))?.focus();
    }
  });

  /** Show those whom the search means; a ticket that is not here any more is looked for among those of today. */
  function seek() {
    clearTimeout(searching);
    wanted = search.value.trim();
    paint();
    earlier.hidden = true;
    asker.drop();
    if (A_LABEL.test(wanted) && entriesMatching(desk.entries.values(), wanted).size === 0) void lookUp(wanted.toUpperCase());
  }

  /** @param {string} label */
  async function lookUp(label) {
    const answer = await asker.ask(`/api/v1/sites/${site.id}/entries?label=${encodeURIComponent(label)}`).catch(() => null);
    const last = answer?.data[0];
    if (last === undefined) return;
    const reopen = element("button", { type: "button", className: "button is-quiet" }, t("desk.search.reopen"));
    reopen.addEventListener("click", () => {
      earlier.hidden = true;
      void act("reopen", { entry_id: last.id }, { label });
    });
    const ended = ["completed", "left", "cancelled"].includes(last.state);
    const offered = ended && may("reopen") ? [reopen] : [];
    earlier.replaceChildren(element("p", {}, t(`desk.search.earlier.${last.state}`, { label })), ...offered);
    earlier.hidden = false;
  }

  pressButtonsByKeys(keys, (button) => orders.doing && orders.later(() => button.disabled || button.click()));

  const siteSelect = /** @type {HTMLSelectElement} */ (find("[data-site-select]"));
  siteSelect.replaceChildren(...sites.map(({ id, name }) => element("option", { value: String(id) }, name)));
  siteSelect.value = String(site.id);
  siteSelect.addEventListener("change", () => {
    remember("site", siteSelect.value);
    location.reload();
  });
  find(".site-choice").hidden = sites.length < 2;
  setText(find("[data-site]"), sites.length < 2 ? site.name : "");
  setText(find("[data-who]"), user.username);
  find("[data-sign-out]").addEventListener("click", async () => {
    connection.close();
    clearTabMemory();
    await signOut().catch(() => {});
    location.assign("/");
  });
}
