import { goToSignIn } from "../shared/session.js";
import { ask as askServer } from "../shared/staff-requests.js";

/**
 * Ask the server, as `ask` of shared/staff-requests.js. A session that has ended leads to the sign-in.
 *
 * @param {string} address
 * @param {{method?: string, body?: object}} [options]
 */
export async function ask(address, options) {
  const outcome = await askServer(address, options);
  if (outcome.error?.code === "not_signed_in") goToSignIn();
  return outcome;
}
