/** Schemas, as types in words and tables of fields. */

import { element } from "../shared/dom.js";
import { nameOf } from "./api.js";
import { folded, formatJson, line } from "./text.js";

/**
 * @typedef {import("./api.js").ApiDocument} ApiDocument
 * @typedef {import("./api.js").Json} Json
 */

/**
 * Return a type in words: "integer or null", "array of integer", "TicketCalled".
 *
 * @param {Json} schema
 * @returns {string}
 */
function kindOf(schema) {
  const name = nameOf(schema);
  if (name) return name;
  if ("const" in schema) return formatJson(schema.const);
  if (schema.oneOf) return schema.oneOf.length > 4 ? "one of several" : schema.oneOf.map(kindOf).join(" or ");
  const kinds = [schema.type ?? "any"].flat();
  return kinds.map((kind) => (kind === "array" && schema.items ? `list of ${kindOf(schema.items)}` : kind)).join(" or ");
}

/**
 * Return the limits of a value, each in a few words: range, length, choices, pattern, format, default.
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
  // A pattern of spaces and control characters is harder to read than the description beside it.
  if (schema.pattern && !schema.pattern.includes("\\u")) found.push([element("code", {}, schema.pattern)]);
  if (schema.format) found.push([schema.format]);
  if (schema.default !== undefined && schema.default !== null) found.push(["default ", element("code", {}, formatJson(schema.default))]);
  return found;
}

/**
 * Return a table of an object's fields, or one line for any other schema.
 *
 * @param {ApiDocument} api
 * @param {Json} schema
 * @param {string} caption
 * @returns {HTMLElement}
 */
export function fields(api, schema, caption) {
  const whole = api.resolve(schema);
  const rows = Object.entries({ ...whole.properties, ...whole.patternProperties });
  if (!rows.length) {
    const text = whole.oneOf ? whole.oneOf.map(kindOf).join(", ") : kindOf(whole);
    return element("p", { className: "docs-kind" }, text);
  }
  const body = element("tbody");
  for (const [name, raw] of rows) body.append(fieldRow(api, name, raw, whole.required?.includes(name)));
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
 * @param {ApiDocument} api
 * @param {string} name
 * @param {Json} raw  the field's schema, with its reference
 * @param {boolean | undefined} required
 */
function fieldRow(api, name, raw, required) {
  const each = api.resolve(raw);
  const about = element("td", {}, ...(each.description ? line(each.description) : []));
  for (const bound of bounds(each)) about.append(element("span", { className: "docs-bound" }, ...bound));
  about.append(...nested(api, raw));
  const mark = required ? element("span", { className: "docs-required" }, "required") : "";
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, element("code", {}, name), mark),
    element("td", { className: "docs-kind" }, kindOf(raw)),
    about,
  );
}

/**
 * Return the fields of the objects inside a field, folded.
 *
 * @param {ApiDocument} api
 * @param {Json} raw
 * @returns {HTMLElement[]}
 */
function nested(api, raw) {
  const inner = raw.items ?? raw;
  const choices = inner.oneOf ?? [inner];
  return choices
    .filter((/** @type {Json} */ each) => api.resolve(each).properties)
    .map((/** @type {Json} */ each) => folded(nameOf(each) ?? "its fields", () => [fields(api, each, nameOf(each) ?? "fields")]));
}
