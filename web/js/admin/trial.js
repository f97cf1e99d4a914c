/** A trial: three test patients come, are called, served and gone. They are in no figure. */

import { untilShown } from "../desk/orders.js";
import { element, setText, updateList } from "../shared/dom.js";
import { nameIn, t } from "../shared/i18n.js";

/**
 * @typedef {import("../live/connection.js").Connection} Connection
 * @typedef {import("./context.js").Context} Context
 * @typedef {import("../live/view.js").Cells} Cells
 * @typedef {{id: number, label: string, state: string, point: string}} TestPatient
 */

const PATIENTS = 3;
const STEP_MS = 3_000;
const OVER = ["cancelled", "completed", "left", "no_show", "expired", "transferred"];

/**
 * Return the part of the page that runs a trial.
 *
 * @param {Context} context
 * @param {Connection} desk  follows the day of the site
 * @returns {HTMLElement}
 */
export function trial(context, desk) {
  const begin = element("button", { className: "button is-primary", type: "button" }, t("admin.trial.begin"));
  const end = element("button", { className: "button", type: "button", hidden: true }, t("admin.trial.end"));
  const patients = element("ul", { className: "trial-patients" });
  const said = element("p", { className: "trial-said", role: "status" });
  /** The patients of this page's trial, also those who are gone. @type {Map<number, TestPatient>} */
  const mine = new Map();
  let stopped = true;

  const paint = () => {
    const there = testPatients(desk.view.cells);
    for (const each of there) mine.set(each.id, each);
    for (const [id, each] of mine) {
      if (!there.some((other) => other.id === id) && !OVER.includes(each.state)) mine.set(id, { ...each, state: "completed" });
    }
    begin.hidden = there.length > 0 || !stopped;
    end.hidden = there.length === 0;
    updateList(
      patients,
      [...mine.values()],
      ({ id }) => id,
      ({ label }) => element("li", { className: "trial-patient" }, element("strong", {}, label), element("span")),
      (row, { state, point }) => {
        row.dataset.state = state;
        const text = row.querySelector("span");
        if (text !== null) setText(text, t(`admin.trial.${OVER.includes(state) ? "gone" : state}`, { point }));
      },
    );
  };

  begin.addEventListener("click", async () => {
    const room = freeRoom(desk.view.cells);
    if (room === null) {
      setText(said, t("admin.trial.no_room"));
      return;
    }
    stopped = false;
    mine.clear();
    setText(said, t("admin.trial.runs"));
    try {
      await run(context, desk, room, () => stopped);
      if (!stopped) setText(said, t("admin.trial.over"));
    } catch (error) {
      setText(said, "");
      context.complain(error);
    }
    stopped = true;
    paint();
  });
  end.addEventListener("click", async () => {
    stopped = true;
    try {
      await context.send("end-trial", { site_id: context.site.id });
      setText(said, t("admin.trial.ended"));
    } catch (error) {
      context.complain(error);
    }
  });
  context.signal.addEventListener("abort", () => (stopped = true));
  desk.addEventListener("view", paint);
  return element(
    "section",
    { className: "trial" },
    element("h2", {}, t("admin.trial")),
    element("p", { className: "field-hint" }, t("admin.trial.lead")),
    element("p", { className: "trial-actions" }, begin, end),
    said,
    patients,
  );
}

/**
 * Let test patients come, and serve them one after the other.
 *
 * @param {Context} context
 * @param {Connection} desk
 * @param {{point: number, queue: number}} room
 * @param {() => boolean} isStopped
 */
async function run(context, desk, { point, queue }, isStopped) {
  const waiting = [];
  for (let count = 0; count < PATIENTS; count += 1) {
    const { entry } = await context.send("issue-ticket", { queue_id: queue, trial: true });
    if (entry !== undefined) waiting.push(entry.id);
  }
  for (const id of waiting) {
    for (const [command, body] of /** @type {const} */ ([["call", { entry_id: id, point_id: point }], ["start", { entry_id: id }], ["complete", { entry_id: id }]])) {
      await pause();
      // Somebody may have done a step at reception, or called a patient to this room: then that is the trial.
      const state = desk.view.cells.get(`entry:${id}`)?.state;
      if (isStopped() || context.signal.aborted) return;
      if (state === STATE_BEFORE[command]) await untilShown(desk, (await context.send(command, body)).seq);
    }
  }
}

const STATE_BEFORE = { call: "waiting", start: "called", complete: "serving" };
const pause = () => new Promise((resolve) => setTimeout(resolve, STEP_MS));

/**
 * Return the test patients who are still there.
 *
 * @param {Cells} cells
 * @returns {TestPatient[]}
 */
function testPatients(cells) {
  const found = [];
  for (const [key, cell] of cells) {
    if (!key.startsWith("entry:") || !cell.trial || cell.state === "no_show") continue;
    const point = cells.get(`point:${cell.point}`);
    found.push({ id: Number(key.slice("entry:".length)), label: cell.label, state: cell.state, point: nameIn(point?.name ?? "", point?.names) });
  }
  return found.sort((one, other) => one.id - other.id);
}

/**
 * Return an open room without a patient, and one of its queues that gives tickets; null if there is none.
 *
 * @param {Cells} cells
 * @returns {{point: number, queue: number} | null}
 */
function freeRoom(cells) {
  for (const [key, cell] of cells) {
    if (!key.startsWith("point:") || cell.state !== "open" || cell.entry !== null) continue;
    const queue = cell.queues.find((/** @type {number} */ id) => cells.get(`queue:${id}`)?.paused === false);
    if (queue !== undefined) return { point: Number(key.slice("point:".length)), queue };
  }
  return null;
}
