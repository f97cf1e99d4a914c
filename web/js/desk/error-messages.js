import { hasText, t } from "../shared/i18n.js";

/**
 * Return why a command was not done, in words for whoever pressed the button.
 *
 * The most particular text that there is: for the code in this state (`error.entry_not_called.serving`), for the code
 * alone, or else the server's own sentence.
 *
 * @param {unknown} error
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function errorMessage(error, values = {}) {
  const { code = "internal_error", message = "", details = {} } = /** @type {Partial<import("../shared/commands.js").CommandFailed>} */ (error);
  for (const key of [`error.${code}.${details?.state}`, `error.${code}`]) {
    if (hasText(key)) return t(key, { ...details, ...values });
  }
  return message || t("error.internal_error");
}
