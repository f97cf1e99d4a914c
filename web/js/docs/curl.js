/**
 * @typedef {import("./api.js").ApiDocument} ApiDocument
 * @typedef {import("./api.js").Json} Json
 */

/**
 * Return an operation as a command for a shell.
 *
 * @param {ApiDocument} api
 * @param {import("./api.js").Operation} each
 * @returns {string}
 */
export function curl(api, { method, path, operation }) {
  const parameters = api.parametersOf(operation);
  let address = path;
  for (const parameter of parameters) {
    if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, String(parameter.example));
  }
  const streams = "text/event-stream" in (api.resolve(operation.responses["200"] ?? {}).content ?? {});
  const lines = [`curl ${streams ? "-N " : ""}${method === "get" ? "" : `-X ${method.toUpperCase()} `}"${location.origin}${address}"`];
  const schemes = api.schemesOf(operation);
  if (schemes.includes("accessToken")) lines.push('-H "Authorization: Bearer $ACCESS_TOKEN"');
  if (schemes.includes("displayToken")) lines.push('-H "Authorization: Bearer $DISPLAY_TOKEN"');
  const prefix = location.protocol === "https:" ? "__Host-" : "";
  if (schemes.includes("refreshCookie")) lines.push(`-b "${prefix}nowserving_refresh=$REFRESH_TOKEN"`);
  if (parameters.some(({ name }) => name === "Idempotency-Key")) lines.push('-H "Idempotency-Key: $(uuidgen)"');
  const body = operation.requestBody?.content["application/json"];
  if (body) lines.push('-H "Content-Type: application/json"', `-d '${JSON.stringify(body.example ?? {}).replace(/'/g, "'\\''")}'`);
  return lines.join(" \\\n  ");
}
