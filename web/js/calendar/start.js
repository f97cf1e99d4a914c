/** The calendar: the appointments of a day by provider, or of a week of one provider, live. */

import { showReaderSettings } from "../components/reader-settings.js";
import { AppointmentActions } from "../desk/appointment-actions.js";
import { KeySettings, pressButtonsByKeys } from "../desk/keyboard.js";
import { lazyDialog } from "../desk/lazy-dialog.js";
import { endSession, whenSignedIn } from "../desk/staff-session.js";
import { element, find, loadStyle, setText } from "../shared/dom.js";
import { addTexts, loadLanguage, loadPart, t } from "../shared/i18n.js";
import { recall, remember } from "../shared/memory.js";
import { cachePage } from "../shared/offline.js";
import { keepSessionFresh } from "../shared/session.js";
import { startPainting } from "./painting.js";
import { connectGrid } from "./pointer.js";
import { CalendarState } from "./state.js";

/**
 * @typedef {import("../shared/session.js").Session} Session
 * @typedef {import("../shared/session.js").Site} Site
 * @typedef {import("./state.js").Choice} Choice
 */

/** The name under which this browser remembers the last site, as reception does. */
const SITE = "site";
const CACHE_MS = 3_000;
const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** Start the page, once the session is known. */
export async function startCalendar() {
  for (const part of ["appointments", "calendar"]) addTexts(part);
  await loadLanguage();
  showReaderSettings(find("[data-tools]"));
  setTimeout(() => void cachePage("/calendar"), CACHE_MS);
  find("[data-sign-out]").addEventListener("click", () => void endSession());
  await whenSignedIn(openSite, (unreachable) => showMessage(unreachable ? t("error.unreachable") : "", "error"));
}

/** @param {Session} session */
function openSite({ sites, user }) {
  const remembered = Number(recall(SITE));
  const site = sites.find(({ id }) => id === remembered) ?? sites[0];
  setText(find("[data-who]"), user.username);
  if (site === undefined) {
    showMessage(t("desk.no_site"), "error");
    return;
  }
  keepSessionFresh();
  const allowed = new Set(user.may);
  const may = (/** @type {string} */ action) => allowed.has(action);
  for (const part of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-needs]"))) part.hidden = !may(part.dataset.needs ?? "");
  find("[data-chosen]").hidden = false;
  showSites(sites, site);
  openCalendar(new CalendarState({ site, may, choice: readChoice() }));
}

/** @param {CalendarState} state */
function openCalendar(state) {
  /** @type {AppointmentActions} */
  const actions = new AppointmentActions({
    get orders() {
      return state.orders; // other dates have another connection, and so another queue of commands
    },
    clinic: () => ({
      siteId: state.site.id,
      today: state.today,
      zone: state.site.time_zone,
      language: state.calendar.site?.language ?? state.site.language,
      services: state.calendar.services,
      providers: state.calendar.providers,
      may: state.may,
    }),
    find: (id) => state.find(id),
    show: showMessage,
  });
  const keys = new KeySettings();
  const sick = lazyDialog(
    async () => {
      const [{ moveDayDialog }] = await Promise.all([import("./move-day-dialog.js"), loadPart("reach"), loadStyle("reach")]);
      return moveDayDialog(state, showMessage);
    },
    () => showMessage(t("error.unreachable"), "error"),
  );
  const keysDialogOf = lazyDialog(
    async () => {
      const { keysDialog } = await import("../desk/keys-dialog.js");
      return keysDialog(/** @type {HTMLDialogElement} */ (find("#keys")), keys, (action) => document.querySelector(`[data-action="${action}"]:not([hidden])`) !== null);
    },
    () => showMessage(t("error.unreachable"), "error"),
  );

  /** @param {string} action */
  function press(action) {
    const { selected, orders } = state;
    if (action === "book") actions.book({ provider: state.provider, date: state.date < state.today ? state.today : state.date });
    else if (action === "keys") void keysDialogOf.open();
    else if (action === "appointments") focusGrid();
    else if (action === "undo") void undo();
    else if (selected !== null) actions.press(action, selected, () => press(action));
    else if (orders.doing) orders.later(() => press(action));
  }

  async function undo() {
    const step = state.undoStep();
    if (step === null) return;
    try {
      if ((await state.orders.takeBack(step, () => void undo())) !== null) showMessage(t("done.undo", { label: step.label }), "done");
    } catch (error) {
      const { errorMessage } = await import("../desk/error-messages.js");
      showMessage(errorMessage(error), "error");
    }
    state.changed();
  }

  for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-action]"))) {
    button.addEventListener("click", () => press(button.dataset.action ?? ""));
  }
  pressButtonsByKeys(keys, (button) => state.orders.doing && state.orders.later(() => button.disabled || button.click()));
  find("[data-grid]").addEventListener("click", ({ target }) => {
    const button = target instanceof Element ? /** @type {HTMLElement | null} */ (target.closest("[data-move-day]")) : null;
    if (button === null) return;
    const column = /** @type {HTMLElement | null} */ (button.closest("[data-column]"));
    void sick.open(Number(button.dataset.moveDay), column?.dataset.column?.slice(0, 10) ?? state.date);
  });
  connectGrid(state, actions);
  connectDates(state);
  startPainting(state);
}

/** Move the focus to the chosen appointment, or else to the first one. */
function focusGrid() {
  const booking = /** @type {HTMLElement | null} */ (find("[data-grid]").querySelector('[data-appointment][tabindex="0"]'));
  booking?.focus();
  booking?.scrollIntoView({ block: "center", inline: "nearest" });
}

/**
 * Connect the choice of dates and of the provider. The address keeps it, for a reload and for a colleague.
 *
 * @param {CalendarState} state
 */
function connectDates(state) {
  const date = /** @type {HTMLInputElement} */ (find("[data-date]"));
  const provider = /** @type {HTMLSelectElement} */ (find("[data-provider]"));
  const choose = (/** @type {Partial<Choice>} */ choice) => {
    state.choose(choice);
    keepInAddress(state.choice);
  };
  find("[data-today]").addEventListener("click", () => choose({ date: null }));
  for (const [name, views] of /** @type {const} */ ([["previous", -1], ["next", 1]])) {
    find(`[data-${name}]`).addEventListener("click", () => {
      state.step(views);
      keepInAddress(state.choice);
    });
  }
  date.addEventListener("change", () => date.value !== "" && choose({ date: date.value }));
  provider.addEventListener("change", () => choose({ provider: Number(provider.value) || null }));
  for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-days]"))) {
    button.addEventListener("click", () => choose({ days: button.dataset.days === "7" ? 7 : 1 }));
  }
}

/** Return the choice in the page's address. @returns {Choice} */
function readChoice() {
  const asked = new URLSearchParams(location.search);
  const date = asked.get("date") ?? "";
  return { date: DATE.test(date) ? date : null, days: asked.get("days") === "7" ? 7 : 1, provider: Number(asked.get("provider")) || null };
}

/** @param {Choice} choice */
function keepInAddress({ date, days, provider }) {
  const address = new URL(location.href);
  for (const [name, value] of [["date", date], ["days", days === 7 ? "7" : null], ["provider", provider]]) {
    if (value === null) address.searchParams.delete(String(name));
    else address.searchParams.set(String(name), String(value));
  }
  history.replaceState(null, "", address);
}

/**
 * @param {Site[]} sites
 * @param {Site} site
 */
function showSites(sites, site) {
  const select = /** @type {HTMLSelectElement} */ (find("[data-site-select]"));
  select.replaceChildren(...sites.map(({ id, name }) => element("option", { value: String(id) }, name)));
  select.value = String(site.id);
  select.addEventListener("change", () => {
    remember(SITE, select.value);
    location.assign("/calendar");
  });
  find(".site-choice").hidden = sites.length < 2;
  setText(find("[data-site]"), sites.length < 2 ? site.name : "");
}

/**
 * Show how the last action went.
 *
 * @param {string} text
 * @param {"done" | "error"} kind
 */
function showMessage(text, kind) {
  const message = find("[data-message]");
  message.dataset.kind = kind;
  setText(message, text);
}
