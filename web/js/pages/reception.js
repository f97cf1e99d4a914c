import { showActions } from "../components/action-bar.js";
import { deskOf, guestOf } from "../components/desk.js";
import { issueDialog } from "../components/issue-dialog.js";
import { pressByKeys } from "../components/keys.js";
import { showLive } from "../components/live-mark.js";
import { offerPoints, showPoints } from "../components/point-list.js";
import { showQueues } from "../components/queue-column.js";
import { reasonOf } from "../components/refusal.js";
import { transferDialog } from "../components/transfer-dialog.js";
import { CommandFailed, send } from "../commands.js";
import { element, find, say } from "../dom.js";
import { speak, t } from "../i18n.js";
import { follow } from "../live/connection.js";
import { recollect, remember } from "../memory.js";
import { goToSignIn, refresh, signOut, stayFresh, whoAmI } from "../session.js";

/**
 * @typedef {import("../components/desk.js").Desk} Desk
 * @typedef {import("../session.js").Site} Site
 */

const TICK_MS = 10_000;

await speak();

const message = find("[data-message]");

try {
  const session = await whoAmI();
  const remembered = Number(recollect("site"));
  const site = session?.sites.find(({ id }) => id === remembered) ?? session?.sites[0];
  if (session === null) goToSignIn();
  else if (site === undefined) tell(t("desk.no_site"), "error");
  else attend(site, session.sites, session.user.username);
} catch {
  tell(t("error.unreachable"), "error");
}

/**
 * Say how it went, until there is something else to say.
 *
 * @param {string} text
 * @param {"done" | "error"} kind
 */
function tell(text, kind) {
  message.dataset.kind = kind;
  say(message, text);
}

/**
 * @param {Site} site
 * @param {Site[]} sites
 * @param {string} username
 */
function attend(site, sites, username) {
  stayFresh();
  const connection = follow(`/live/sites/${site.id}/desk`);
  const bar = find(".action-bar");
  const points = /** @type {HTMLSelectElement} */ (find("[data-point-select]"));
  const pointKey = `point:${site.id}`;
  let mine = Number(recollect(pointKey)) || null;
  let desk = deskOf(connection.view.cells);
  let doing = ""; // the command under way
  let thenDo = ""; // the one pressed meanwhile

  const live = () =>
    showLive(connection, { page: "desk", mark: find(".live-mark"), notice: find(".notice"), zone: site.time_zone });

  function paint() {
    const now = connection.now();
    showQueues(find("[data-columns]"), desk, now);
    showPoints(find("[data-points]"), desk, mine, now);
    offerPoints(points, desk, mine);
    showActions(bar, desk, mine);
  }

  connection.addEventListener("view", () => {
    desk = deskOf(connection.view.cells);
    if (mine !== null && !desk.points.some(({ id }) => id === mine)) mine = null;
    document.body.classList.add("is-loaded");
    paint();
  });
  connection.addEventListener("state", () => {
    live();
    if (connection.refusal === 401) void comeBack();
  });
  live();
  setInterval(paint, TICK_MS);

  /** The stream was refused for want of a session: renew it, or have it begun anew. */
  async function comeBack() {
    if (await refresh().catch(() => false)) connection.open();
    else goToSignIn();
  }

  /**
   * Send a command. Whoever is not signed in any more is sent to do so.
   *
   * @param {string} name
   * @param {Record<string, unknown>} body
   */
  async function order(name, body) {
    try {
      return await send(name, body);
    } catch (error) {
      if (error instanceof CommandFailed && error.code === "not_signed_in") goToSignIn();
      throw error;
    }
  }

  /**
   * Do a command and say how it went. One at a time: the same pressed again means the first, another one waits its turn.
   *
   * @param {string} name
   * @param {Record<string, unknown>} body
   * @param {Record<string, string>} words  for the sentence that says how it went
   */
  async function act(name, body, words) {
    if (doing) {
      if (name !== doing) thenDo = name;
      return;
    }
    doing = name;
    bar.setAttribute("aria-busy", "true");
    try {
      const answer = await order(name, body);
      const label = answer.entry?.label ?? words.label ?? "";
      tell(t(`done.${name}`, { ...words, label }), "done");
    } catch (error) {
      tell(reasonOf(error, words), "error");
    } finally {
      doing = "";
      bar.removeAttribute("aria-busy");
      const next = thenDo;
      thenDo = "";
      if (next) press(next);
    }
  }

  const issuing = issueDialog(/** @type {HTMLDialogElement} */ (find("#issue")), (body) => order("issue-ticket", body));
  const transferring = transferDialog(/** @type {HTMLDialogElement} */ (find("#transfer")), (queue) => {
    const guest = guestOf(desk, myPoint());
    if (guest === null) tell(t("error.guest_gone"), "error");
    else void act("transfer", { entry_id: guest.id, queue_id: queue.id }, { label: guest.label, queue: queue.name });
  });

  const myPoint = () => desk.points.find(({ id }) => id === mine) ?? null;

  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-action]"))) {
    button.addEventListener("click", () => press(button.dataset.action ?? ""));
  }

  /** @param {string} action */
  function press(action) {
    const point = myPoint();
    const guest = guestOf(desk, point);
    if (action === "issue-ticket") issuing.open(desk);
    else if (action === "call-next" && point) void act(action, { point_id: point.id }, { point: point.name });
    else if (action === "transfer" && guest) {
      transferring.open(guest.label, desk.queues.filter(({ id }) => id !== guest.queue));
    } else if (guest && point) void act(action, { entry_id: guest.id }, { label: guest.label, point: point.name });
  }

  points.addEventListener("change", () => {
    mine = Number(points.value) || null;
    remember(pointKey, points.value);
    paint();
  });

  const keys = /** @type {HTMLButtonElement} */ (find("[data-keys]"));
  const keysWanted = () => recollect("keys") !== "off";
  const showKeys = () => {
    keys.setAttribute("aria-pressed", String(keysWanted()));
    document.body.classList.toggle("has-keys", keysWanted());
  };
  keys.addEventListener("click", () => {
    remember("keys", keysWanted() ? "off" : "on");
    showKeys();
  });
  showKeys();
  pressByKeys(keysWanted);

  const siteSelect = /** @type {HTMLSelectElement} */ (find("[data-site-select]"));
  siteSelect.replaceChildren(...sites.map(({ id, name }) => element("option", { value: String(id) }, name)));
  siteSelect.value = String(site.id);
  siteSelect.addEventListener("change", () => {
    remember("site", siteSelect.value);
    location.reload();
  });
  find(".site-choice").hidden = sites.length < 2;
  say(find("[data-site]"), sites.length < 2 ? site.name : "");
  say(find("[data-who]"), username);
  find("[data-sign-out]").addEventListener("click", async () => {
    connection.close();
    await signOut().catch(() => {});
    location.assign("/");
  });
}
