/** The version of the page that runs, and whether the server has another. */

import { request } from "./request.js";

const HEADER = "X-Web-Version";
const TRIED = "tried-version";

/** The version of this page: it is in the address of its files. "dev" where they are loaded without one. */
export const VERSION = /\/static\/([0-9a-f]{12})\//.exec(import.meta.url)?.[1] ?? "dev";

/**
 * Return whether the server has another version of this page, one that this tab has not been loaded anew for already.
 *
 * @returns {Promise<boolean>}
 */
export async function isOutdated() {
  const answer = await request(location.pathname, { method: "HEAD", cache: "no-store" }).catch(() => null);
  const there = answer?.ok ? answer.headers.get(HEADER) : null;
  return there != null && VERSION !== "dev" && there !== VERSION && sessionStorage.getItem(TRIED) !== there;
}

/** Load the page anew, as the server has it now; not twice for the same, whatever lies in between. */
export async function reloadNewVersion() {
  const answer = await request(location.pathname, { method: "HEAD", cache: "no-store" }).catch(() => null);
  const there = answer?.ok ? answer.headers.get(HEADER) : null;
  if (there == null) return;
  sessionStorage.setItem(TRIED, there);
  location.reload();
}
