/** The section of the installation: the state of each part, its start, and its remedy. */

import { element } from "../shared/dom.js";
import { formatDay, formatTime, hasText, t } from "../shared/i18n.js";

/**
 * @typedef {import("./context.js").Context} Context
 * @typedef {{name: string, code: string, state: "ok" | "warning" | "broken" | "unknown", since: number, text: string,
 *   remedy: string, values: Record<string, string>}} Check
 */

const AGAIN_MS = 30_000;
const SIGNS = { ok: "✓", warning: "!", broken: "✕", unknown: "?" };

/**
 * @param {HTMLElement} root
 * @param {Context} context
 */
export async function open(root, context) {
  const list = element("ul", { className: "checks" });
  const again = element("button", { className: "button", type: "button" }, t("admin.system.again"));
  const look = async () => {
    const { checks } = await context.ask("/api/v1/system");
    list.replaceChildren(...checks.map((/** @type {Check} */ each) => rowOf(context, each)));
  };
  const quietly = () => look().catch(() => {});
  again.addEventListener("click", () => void look().catch((error) => context.complain(error)));
  const timer = setInterval(quietly, AGAIN_MS);
  context.signal.addEventListener("abort", () => clearInterval(timer));
  root.append(list, element("p", {}, again));
  await look();
}

/**
 * @param {Context} context
 * @param {Check} check
 */
function rowOf(context, { name, code, state, since, text, remedy, values }) {
  const key = `admin.check.${code}`;
  const title = `admin.system.${name}`;
  const said = hasText(key) ? t(key, values) : text;
  const todo = remedy === "" ? "" : hasText(`${key}.remedy`) ? t(`${key}.remedy`, values) : remedy;
  const day = formatDay(since, context.zone);
  const row = element(
    "li",
    { className: "check-row" },
    element("span", { className: "check-sign", "aria-hidden": "true" }, SIGNS[state]),
    element(
      "div",
      { className: "check-words" },
      element("h2", {}, hasText(title) ? t(title) : name),
      element("p", {}, said),
      ...(todo && state !== "ok" ? [element("p", { className: "check-remedy" }, todo)] : []),
      ...(todo && state === "ok" ? [element("p", { className: "field-hint" }, todo)] : []),
    ),
    element(
      "p",
      { className: "check-state" },
      element("span", {}, t(`admin.system.state.${state}`)),
      element("span", { className: "field-hint" }, t("admin.system.since", { time: `${day}, ${formatTime(since, context.zone)}` })),
    ),
  );
  row.dataset.check = name;
  row.dataset.state = state;
  return row;
}
