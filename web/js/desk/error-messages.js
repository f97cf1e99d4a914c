import { hasText, t } from "../shared/i18n.js";

/**
 * Return the message to show for a failed command, in the reader's language.
 *
 * It is the most specific text of the locale: for the code in this state (`error.entry_not_called.serving`), or for the
 * code alone. Without either, it is the server's own sentence.
 *
 * @param {unknown} error
 * @param {Record<string, string | number>} [values]  to fill in, besides the error's details
 * @returns {string}
 */
export function errorMessage(error, values = {}) {
  const { code = "internal_error", message = "", details = {} } = /** @type {Partial<import("../shared/commands.js").CommandFailed>} */ (error);
  for (const key of [`error.${code}.${details?.state}`, `error.${code}`]) {
    if (hasText(key)) return t(key, { ...details, ...values });
  }
  return message || t("error.internal_error");
}
