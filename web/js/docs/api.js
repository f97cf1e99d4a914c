/**
 * @typedef {Record<string, any>} Json
 * @typedef {{method: string, path: string, operation: Json, id: string}} Operation
 */

/** The server's OpenAPI document, with its references resolved on demand. */
export class ApiDocument {
  #json;

  /** @param {Json} json */
  constructor(json) {
    this.#json = json;
  }

  /** The API's version and the OpenAPI version. */
  get version() {
    return `version ${this.#json.info.version}, OpenAPI ${this.#json.openapi}`;
  }

  /** @returns {string} */
  get description() {
    return this.#json.info.description;
  }

  /** The groups of operations. @returns {{name: string, description: string}[]} */
  get tags() {
    return this.#json.tags;
  }

  /** Every error code with its status and message. @returns {Record<string, {status: number, message: string}>} */
  get errorCodes() {
    return this.#json.components.schemas.ErrorCode["x-codes"];
  }

  /** @returns {Operation[]} */
  operations() {
    return Object.entries(this.#json.paths).flatMap(([path, item]) =>
      Object.entries(/** @type {Json} */ (item)).map(([method, operation]) => ({ method, path, operation, id: operation.operationId })),
    );
  }

  /**
   * Return the names of the ways to sign in for an operation.
   *
   * @param {Json} operation
   * @returns {string[]}
   */
  schemesOf(operation) {
    return (operation.security ?? this.#json.security).flatMap(Object.keys);
  }

  /**
   * Return the parameters of an operation, resolved.
   *
   * @param {Json} operation
   * @returns {Json[]}
   */
  parametersOf(operation) {
    return (operation.parameters ?? []).map((/** @type {Json} */ each) => this.resolve(each));
  }

  /**
   * Return a value with its own reference replaced by what it refers to. References inside stay.
   *
   * @param {Json} value
   * @returns {Json}
   */
  resolve(value) {
    if (typeof value.$ref !== "string") return value;
    const found = value.$ref
      .slice(2)
      .split("/")
      .reduce((/** @type {Json} */ within, part) => within[part.replace(/~1/g, "/").replace(/~0/g, "~")], this.#json);
    const { $ref: _, ...more } = value;
    return { ...found, ...more };
  }
}

/**
 * Return the name of the schema that a reference names, or null for any other value.
 *
 * @param {Json} schema
 * @returns {string | null}
 */
export const nameOf = (schema) => (typeof schema.$ref === "string" ? (schema.$ref.split("/").pop() ?? null) : null);
