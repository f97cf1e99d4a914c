/** The API for people: the document that the server gives of itself, and nothing that is written here a second time. */

import { showReaderSettings } from "../components/reader-settings.js";
import { element, find, setText } from "../shared/dom.js";
import { currentLanguage, loadLanguage, t } from "../shared/i18n.js";

/**
 * @typedef {Record<string, any>} Json
 * @typedef {{method: string, path: string, operation: Json, id: string}} Operation
 */

const ADDRESS = "/api/openapi.json";
const COPIED_MS = 1600;

/** @type {Json} */
let api = {};

/**
 * Follow a reference, if there is nothing but one.
 *
 * @param {Json} value
 * @returns {Json}
 */
function resolved(value) {
  if (typeof value.$ref !== "string") return value;
  const found = value.$ref
    .slice(2)
    .split("/")
    .reduce((/** @type {Json} */ within, part) => within[part.replace(/~1/g, "/").replace(/~0/g, "~")], api);
  const { $ref: _, ...more } = value;
  return { ...found, ...more };
}

/** @param {Json} schema */
const nameOf = (schema) => (typeof schema.$ref === "string" ? schema.$ref.split("/").pop() : null);

// Text

/**
 * Return a line's nodes: `code`, **strong**, the rest as it is.
 *
 * @param {string} text
 * @returns {(Node | string)[]}
 */
const line = (text) =>
  text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (part.startsWith("`") && part.length > 1) return element("code", {}, part.slice(1, -1));
    if (part.startsWith("**")) return element("strong", {}, part.slice(2, -2));
    return part;
  });

/**
 * @param {string} text  paragraphs
 * @returns {HTMLElement[]}
 */
const prose = (text) =>
  text
    .split(/\n{2,}/)
    .filter((part) => part.trim())
    .map((part) => element("p", {}, ...line(part.replace(/\s*\n/g, " "))));

/**
 * A block that scrolls by itself, and can be copied.
 *
 * @param {string} text
 * @param {string} what  its accessible name
 */
function block(text, what) {
  const button = element("button", { className: "button docs-copy", type: "button", "aria-label": `Copy ${what}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      setText(button, "Copied");
    } catch {
      getSelection()?.selectAllChildren(code); // without a secure context: at least it is marked
      setText(button, "Marked");
    }
    setTimeout(() => setText(button, "Copy"), COPIED_MS);
  });
  const code = element("code", {}, text);
  return element("div", { className: "docs-block" }, element("pre", { tabIndex: 0, "aria-label": what }, code), button);
}

/** @param {unknown} value */
const written = (value) => JSON.stringify(value, null, 2);

// Schemas

/**
 * Return a type in words: "integer or null", "array of integer", "TicketCalled".
 *
 * @param {Json} schema
 * @returns {string}
 */
function kindOf(schema) {
  const name = nameOf(schema);
  if (name) return name;
  if ("const" in schema) return written(schema.const);
  if (schema.oneOf) return schema.oneOf.length > 4 ? "one of several" : schema.oneOf.map(kindOf).join(" or ");
  const kinds = [schema.type ?? "any"].flat();
  return kinds.map((kind) => (kind === "array" && schema.items ? `list of ${kindOf(schema.items)}` : kind)).join(" or ");
}

/**
 * Return what else holds for a value, each in a few words.
 *
 * @param {Json} schema
 * @returns {(Node | string)[][]}
 */
function bounds(schema) {
  const found = [];
  const { minimum: low, maximum: high, minLength, maxLength, minItems, maxItems } = schema;
  const range = (/** @type {any} */ from, /** @type {any} */ to, /** @type {string} */ unit) =>
    from !== undefined && to !== undefined ? `${from} to ${to}${unit}` : from !== undefined ? `at least ${from}${unit}` : `at most ${to}${unit}`;
  if (low !== undefined || high !== undefined) found.push([high === Number.MAX_SAFE_INTEGER ? `at least ${low}` : range(low, high, "")]);
  if (minLength !== undefined || maxLength !== undefined) found.push([range(minLength, maxLength, " characters")]);
  if (minItems !== undefined || maxItems !== undefined) found.push([range(minItems, maxItems, " in the list")]);
  if (schema.enum) found.push(schema.enum.flatMap((/** @type {any} */ each, /** @type {number} */ at) => [at ? ", " : "", element("code", {}, String(each))]));
  // A pattern of spaces and control characters says less than the words beside it.
  if (schema.pattern && !schema.pattern.includes("\\u")) found.push([element("code", {}, schema.pattern)]);
  if (schema.format) found.push([schema.format]);
  if (schema.default !== undefined && schema.default !== null) found.push(["default ", element("code", {}, written(schema.default))]);
  return found;
}

/**
 * Return a table of an object's fields, or the schema in a line.
 *
 * @param {Json} schema
 * @param {string} caption
 * @returns {HTMLElement}
 */
function fields(schema, caption) {
  const whole = resolved(schema);
  const rows = Object.entries({ ...whole.properties, ...whole.patternProperties });
  if (!rows.length) {
    const text = whole.oneOf ? whole.oneOf.map(kindOf).join(", ") : kindOf(whole);
    return element("p", { className: "docs-kind" }, text);
  }
  const body = element("tbody");
  for (const [name, raw] of rows) {
    const each = resolved(raw);
    const required = whole.required?.includes(name);
    const about = element("td", {}, ...(each.description ? line(each.description) : []));
    for (const bound of bounds(each)) about.append(element("span", { className: "docs-bound" }, ...bound));
    about.append(...nested(raw));
    body.append(
      element(
        "tr",
        {},
        element("th", { scope: "row" }, element("code", {}, name), required ? element("span", { className: "docs-required" }, "required") : ""),
        element("td", { className: "docs-kind" }, kindOf(raw)),
        about,
      ),
    );
  }
  const head = element("tr", {}, ...["Field", "Type", "What it is"].map((text) => element("th", { scope: "col" }, text)));
  return element(
    "table",
    { className: "docs-fields" },
    element("caption", { className: "hidden" }, caption),
    element("thead", {}, head),
    body,
  );
}

/**
 * Return what a field holds itself, folded.
 *
 * @param {Json} raw
 * @returns {HTMLElement[]}
 */
function nested(raw) {
  const inner = raw.items ?? raw;
  const choices = inner.oneOf ?? [inner];
  return choices
    .filter((/** @type {Json} */ each) => resolved(each).properties)
    .map((/** @type {Json} */ each) => folded(nameOf(each) ?? "its fields", () => [fields(each, nameOf(each) ?? "fields")]));
}

/**
 * Return a disclosure whose content is made when it is first opened.
 *
 * @param {string} title
 * @param {() => (Node | string)[]} content
 * @param {string} [className]
 */
function folded(title, content, className = "docs-fold") {
  const made = element("details", { className }, element("summary", {}, title));
  made.addEventListener("toggle", () => made.childElementCount === 1 && made.append(...content()), { once: true });
  return made;
}

// Operations

/** @returns {Operation[]} */
const operations = () =>
  Object.entries(api.paths).flatMap(([path, item]) =>
    Object.entries(/** @type {Json} */ (item)).map(([method, operation]) => ({ method, path, operation, id: operation.operationId })),
  );

/**
 * Return the operation as a command for a shell.
 *
 * @param {Operation} each
 */
function curl({ method, path, operation }) {
  let address = path;
  for (const parameter of (operation.parameters ?? []).map(resolved)) {
    if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, String(parameter.example));
  }
  const streams = "text/event-stream" in (resolved(operation.responses["200"] ?? {}).content ?? {});
  const lines = [`curl ${streams ? "-N " : ""}${method === "get" ? "" : `-X ${method.toUpperCase()} `}"${location.origin}${address}"`];
  const schemes = (operation.security ?? api.security).flatMap(Object.keys);
  if (schemes.includes("accessToken")) lines.push('-H "Authorization: Bearer $ACCESS_TOKEN"');
  if (schemes.includes("displayToken")) lines.push('-H "Authorization: Bearer $DISPLAY_TOKEN"');
  if (schemes.includes("refreshCookie")) lines.push('-b "nowserving_refresh=$REFRESH_TOKEN"');
  if ((operation.parameters ?? []).some((/** @type {Json} */ each) => resolved(each).name === "Idempotency-Key")) {
    lines.push('-H "Idempotency-Key: $(uuidgen)"');
  }
  const body = operation.requestBody?.content["application/json"];
  if (body) lines.push('-H "Content-Type: application/json"', `-d '${JSON.stringify(body.example ?? {}).replace(/'/g, "'\\''")}'`);
  return lines.join(" \\\n  ");
}

/** @param {Json} operation */
function whoMay(operation) {
  const schemes = new Set((operation.security ?? api.security).flatMap(Object.keys));
  if (!schemes.size) return "No sign-in";
  if (schemes.has("displayToken")) return "Display token";
  return operation["x-roles"] ? operation["x-roles"].join(", ") : schemes.has("refreshCookie") ? "Refresh token" : "Signed in";
}

/**
 * @param {string} status
 * @param {Json} raw
 */
function response(status, raw) {
  const { description = "", content = {} } = resolved(raw);
  const schema = content["application/json"]?.schema;
  const codes = schema?.properties?.error?.properties?.code?.enum ?? [];
  const said = element("div", {});
  if (codes.length) {
    const list = element("ul", { className: "docs-codes" });
    for (const code of codes) {
      list.append(element("li", {}, element("a", { href: `#error-${code}` }, element("code", {}, code)), ` ${messageOf(code)}`));
    }
    said.append(list);
  } else {
    said.append(...prose(description));
    if (schema) said.append(fields(schema, `Answer ${status}`));
    for (const [kind, each] of Object.entries(content)) {
      if (kind !== "application/json") said.append(element("p", { className: "docs-kind" }, kind));
      if (each.example) said.append(block(each.example.trim(), "an example of the stream"));
    }
  }
  return element("div", { className: "docs-response", "data-kind": status[0] }, element("strong", {}, status), said);
}

/** @param {string} code */
const messageOf = (code) => api.components.schemas.ErrorCode["x-codes"][code]?.message ?? "";

/**
 * @param {Operation} each
 * @returns {(Node | string)[]}
 */
function contentOf(each) {
  const { operation } = each;
  const parts = prose(operation.description ?? "");
  const parameters = (operation.parameters ?? []).map(resolved);
  const section = (/** @type {string} */ title, /** @type {(Node | string)[]} */ ...content) =>
    parts.push(element("section", {}, element("h4", {}, title), ...content));
  if (parameters.length) {
    const properties = Object.fromEntries(
      parameters.map((/** @type {Json} */ parameter) => [
        parameter.name,
        { ...parameter.schema, description: `In the ${parameter.in}. ${parameter.description ?? ""}` },
      ]),
    );
    const required = parameters.filter((/** @type {Json} */ parameter) => parameter.required).map((/** @type {Json} */ parameter) => parameter.name);
    section("Parameters", fields({ properties, required }, "Parameters"));
  }
  const body = operation.requestBody?.content["application/json"];
  if (body) {
    section("Body", fields(body.schema, "Body"));
    if (body.example) section("Example", block(written(body.example), "the example"));
  }
  section("Request", block(curl(each), "the request"));
  const messages = Object.entries(operation["x-messages"] ?? {}).map(([name, schema]) => folded(name, () => [fields(schema, name)]));
  if (messages.length) section("Messages", ...messages, folded("cells", () => [fields(operation["x-cells"], "cells")]));
  section("Answers", ...Object.entries(operation.responses).map(([status, raw]) => response(status, raw)));
  return [element("div", { className: "docs-content" }, ...parts)];
}

/** @param {Operation} each */
function shown(each) {
  const { method, path, operation, id } = each;
  const made = folded("", () => contentOf(each), "docs-operation");
  made.id = id;
  find("summary", made).append(
    element("span", { className: "docs-method", "data-method": method }, method.toUpperCase()),
    element("code", { className: "docs-path" }, path),
    element("span", { className: "docs-summary" }, operation.summary),
    element("span", { className: "docs-who" }, whoMay(operation)),
  );
  return made;
}

/** @param {Operation} each */
const words = ({ method, path, operation }) =>
  [method, path, operation.summary, operation.description, ...operation.tags, ...(operation["x-roles"] ?? [])].join(" ").toLowerCase();

function draw() {
  const every = operations();
  const index = find("[data-index]");
  const main = find("[data-operations]");
  for (const { name, description } of api.tags) {
    const own = every.filter(({ operation }) => operation.tags.includes(name));
    const title = `group-${name.toLowerCase().replace(/\W/g, "-")}`;
    main.append(
      element(
        "section",
        { className: "docs-group", "aria-labelledby": title },
        element("h2", { id: title }, name),
        element("p", {}, description),
        ...own.map(shown),
      ),
    );
    const links = own.map((each) =>
      element("li", { "data-for": each.id }, element("a", { href: `#${each.id}` }, each.path.split("/commands/")[1] ?? each.id)),
    );
    index.append(element("div", { "data-links": "" }, element("h2", {}, name), element("ol", {}, ...links)));
  }
  index.append(element("div", {}, element("h2", {}, "More"), element("ol", {}, element("li", {}, element("a", { href: "#errors" }, "Error codes")))));

  const body = element("tbody");
  const codes = Object.entries(api.components.schemas.ErrorCode["x-codes"]);
  for (const [code, { status, message }] of codes.sort(([one, a], [other, b]) => a.status - b.status || one.localeCompare(other))) {
    body.append(
      element(
        "tr",
        { id: `error-${code}`, tabIndex: -1 },
        element("th", { scope: "row" }, element("code", {}, code)),
        element("td", {}, String(status)),
        element("td", {}, message),
      ),
    );
  }
  const head = element("tr", {}, ...["Code", "Status", "What it says"].map((text) => element("th", { scope: "col" }, text)));
  const errors = find("[data-errors]");
  errors.append(element("table", { className: "docs-fields" }, element("thead", {}, head), body));
  errors.hidden = false;
  search(every);
  open();
}

/** @param {Operation[]} every */
function search(every) {
  const input = /** @type {HTMLInputElement} */ (find("#search"));
  input.placeholder = t("action.search");
  const text = new Map(every.map((each) => [each.id, words(each)]));
  input.addEventListener("input", () => {
    const asked = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const [id, all] of text) {
      const fits = asked.every((word) => all.includes(word));
      count += Number(fits);
      find(`#${id}`).hidden = find(`[data-for="${id}"]`).hidden = !fits;
    }
    for (const group of document.querySelectorAll(".docs-group, [data-links]")) {
      const own = [...group.querySelectorAll(".docs-operation, li")];
      /** @type {HTMLElement} */ (group).hidden = own.every((each) => /** @type {HTMLElement} */ (each).hidden);
    }
    find("[data-nothing]").hidden = count > 0;
    setText(find("#found"), asked.length ? t("desk.search.found", { n: count }) : "");
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement;
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      input.focus();
      input.select();
    } else if (event.key === "Escape" && typing && input.value) {
      input.value = "";
      input.dispatchEvent(new Event("input"));
    }
  });
}

/** Open what the address names. */
function open() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target === null) return;
  target.hidden = false;
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    find("summary", target).focus({ preventScroll: true });
  }
  target.scrollIntoView();
}

await loadLanguage();
showReaderSettings(find("[data-tools]"));
find("[data-language]").hidden = currentLanguage() === "en";

try {
  const answer = await fetch(ADDRESS);
  if (!answer.ok) throw new Error(String(answer.status));
  api = await answer.json();
  setText(find("[data-version]"), `version ${api.info.version}, OpenAPI ${api.openapi}`);
  find("[data-about]").replaceChildren(...prose(api.info.description));
  draw();
  addEventListener("hashchange", open);
} catch {
  const about = find("[data-about]");
  about.removeAttribute("lang");
  about.removeAttribute("dir");
  about.replaceChildren(element("p", { role: "alert" }, t("docs.unreachable")));
}
