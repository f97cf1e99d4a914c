import { CommandFailed } from "../shared/commands.js";
import { ask as askServer } from "../shared/staff-requests.js";

/**
 * Ask the server for JSON, as the signed-in user. Returns null for an answer without a body. Throws `CommandFailed`, and an
 * `AbortError` when the signal aborts.
 *
 * @param {string} address
 * @param {{method?: string, body?: object, signal?: AbortSignal}} [options]
 * @returns {Promise<any>}
 */
export async function ask(address, options = {}) {
  const { body, error } = await askServer(address, options).catch((failure) => {
    if (options.signal?.aborted) throw failure;
    throw new CommandFailed("unreachable", "");
  });
  if (error !== undefined) throw new CommandFailed(error.code, error.message ?? "", error.details);
  return body;
}
