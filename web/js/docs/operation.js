/** One operation of the API: its line in the list, and its details. */

import { element, find } from "../shared/dom.js";
import { curl } from "./curl.js";
import { fields } from "./schema.js";
import { block, folded, formatJson, prose } from "./text.js";

/**
 * @typedef {import("./api.js").ApiDocument} ApiDocument
 * @typedef {import("./api.js").Json} Json
 * @typedef {import("./api.js").Operation} Operation
 */

/**
 * Return an operation as one line that unfolds to its details.
 *
 * @param {ApiDocument} api
 * @param {Operation} each
 */
export function operationElement(api, each) {
  const { method, path, operation, id } = each;
  const made = folded("", () => details(api, each), "docs-operation");
  made.id = id;
  find("summary", made).append(
    element("span", { className: "docs-method", "data-method": method }, method.toUpperCase()),
    element("code", { className: "docs-path" }, path),
    element("span", { className: "docs-summary" }, operation.summary),
    element("span", { className: "docs-who" }, whoMay(api, operation)),
  );
  return made;
}

/**
 * Return who may send an operation, in a few words.
 *
 * @param {ApiDocument} api
 * @param {Json} operation
 */
function whoMay(api, operation) {
  const schemes = new Set(api.schemesOf(operation));
  if (!schemes.size) return "No sign-in";
  if (schemes.has("displayToken")) return "Display token";
  return operation["x-roles"] ? operation["x-roles"].join(", ") : schemes.has("refreshCookie") ? "Refresh token" : "Signed in";
}

/**
 * @param {ApiDocument} api
 * @param {Operation} each
 * @returns {(Node | string)[]}
 */
function details(api, each) {
  const { operation } = each;
  const parts = prose(operation.description ?? "");
  const section = (/** @type {string} */ title, /** @type {(Node | string)[]} */ ...content) =>
    parts.push(element("section", {}, element("h4", {}, title), ...content));
  const parameters = api.parametersOf(operation);
  if (parameters.length) section("Parameters", fields(api, schemaOf(parameters), "Parameters"));
  const body = operation.requestBody?.content["application/json"];
  if (body) {
    section("Body", fields(api, body.schema, "Body"));
    if (body.example) section("Example", block(formatJson(body.example), "the example"));
  }
  section("Request", block(curl(api, each), "the request"));
  const messages = Object.entries(operation["x-messages"] ?? {}).map(([name, schema]) => folded(name, () => [fields(api, schema, name)]));
  if (messages.length) section("Messages", ...messages, folded("cells", () => [fields(api, operation["x-cells"], "cells")]));
  section("Answers", ...Object.entries(operation.responses).map(([status, raw]) => response(api, status, raw)));
  return [element("div", { className: "docs-content" }, ...parts)];
}

/**
 * Return parameters as the schema of an object that has them as fields.
 *
 * @param {Json[]} parameters
 * @returns {Json}
 */
function schemaOf(parameters) {
  const properties = Object.fromEntries(
    parameters.map((parameter) => [
      parameter.name,
      { ...parameter.schema, description: `In the ${parameter.in}. ${parameter.description ?? ""}` },
    ]),
  );
  return { properties, required: parameters.filter(({ required }) => required).map(({ name }) => name) };
}

/**
 * @param {ApiDocument} api
 * @param {string} status
 * @param {Json} raw
 */
function response(api, status, raw) {
  const { description = "", content = {} } = api.resolve(raw);
  const schema = content["application/json"]?.schema;
  const codes = schema?.properties?.error?.properties?.code?.enum ?? [];
  const said = element("div", {});
  if (codes.length) said.append(codeList(api, codes));
  else {
    said.append(...prose(description));
    if (schema) said.append(fields(api, schema, `Answer ${status}`));
    for (const [kind, each] of Object.entries(content)) {
      if (kind !== "application/json") said.append(element("p", { className: "docs-kind" }, kind));
      if (each.example) said.append(block(each.example.trim(), "an example of the stream"));
    }
  }
  return element("div", { className: "docs-response", "data-kind": status[0] }, element("strong", {}, status), said);
}

/**
 * @param {ApiDocument} api
 * @param {string[]} codes
 */
function codeList(api, codes) {
  const list = element("ul", { className: "docs-codes" });
  for (const code of codes) {
    const link = element("a", { href: `#error-${code}` }, element("code", {}, code));
    list.append(element("li", {}, link, ` ${api.errorCodes[code]?.message ?? ""}`));
  }
  return list;
}
