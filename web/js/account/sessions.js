/** The sessions of the user: where the user is signed in. */

import { element, find, setText, updateList } from "../shared/dom.js";
import { formatDay, formatTime, t } from "../shared/i18n.js";
import { ask } from "./requests.js";

/**
 * @typedef {{id: string, created_at: number, used_at: number, current: boolean, browser: string | null, platform: string | null}} Session
 */

const ADDRESS = "/api/v1/sessions";

/** Connect the list. `show` reads the sessions again and shows them. */
export function connectSessions() {
  const list = find("[data-sessions]");
  const others = find("[data-end-others]");
  const done = find("[data-sessions-done]");

  const show = async () => {
    const { body } = await ask(`${ADDRESS}?page_size=200`);
    if (!body) return;
    /** @type {Session[]} */
    const sessions = body.data;
    sessions.sort((one, other) => Number(other.current) - Number(one.current) || other.used_at - one.used_at);
    updateList(list, sessions, ({ id }) => id, makeRow, updateRow);
    others.hidden = sessions.length < 2;
  };

  /** @param {string} address @param {string} said */
  const end = async (address, said) => {
    try {
      const { error } = await ask(address, { method: "DELETE" });
      // A session that is already gone is what the user wants.
      setText(done, error === undefined || error.code === "session_not_found" ? said : t("error.internal_error"));
      await show();
    } catch {
      setText(done, t("error.unreachable"));
    }
  };

  list.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? /** @type {HTMLElement | null} */ (event.target.closest("[data-end]")) : null;
    if (button !== null) void end(`${ADDRESS}/${button.dataset.end}`, t("account.sessions.ended"));
  });
  others.addEventListener("click", () => void end(ADDRESS, t("account.sessions.ended_others")));
  return { show };
}

/** @param {Session} session */
function makeRow({ id, current }) {
  const button = element("button", { className: "button", type: "button" }, t("account.sessions.end"));
  button.dataset.end = id;
  const mark = element("span", { className: "session-mark" }, t("account.sessions.this"));
  return element(
    "li",
    { className: "session-row" },
    element("div", {}, element("p", { className: "session-name" }), element("p", { className: "quiet-text" })),
    current ? mark : button,
  );
}

/** @param {HTMLElement} row @param {Session} session */
function updateRow(row, session) {
  const name = deviceName(session);
  setText(find(".session-name", row), name);
  setText(find(".quiet-text", row), whenUsed(session));
  row.querySelector("button")?.setAttribute("aria-label", t("account.sessions.end.name", { name }));
}

/** @param {Pick<Session, "browser" | "platform">} session */
function deviceName({ browser, platform }) {
  if (browser === null) return platform === null ? t("account.sessions.program") : platform;
  return platform === null ? browser : t("account.sessions.device", { browser, platform });
}

/** @param {Session} session */
function whenUsed({ created_at, used_at, current }) {
  const [instant, key] = current ? [created_at, "account.sessions.since"] : [used_at, "account.sessions.used"];
  const today = new Date(instant).toDateString() === new Date().toDateString();
  const time = formatTime(instant);
  return t(today ? `${key}.today` : key, today ? { time } : { time, day: formatDay(instant) });
}
