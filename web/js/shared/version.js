/** The version of this page, and whether the server has another one. */

import { request } from "./request.js";

const HEADER = "X-Web-Version";
const TRIED = "tried-version";

/** The version of this page, from the address of its files. "dev" for files without a version. */
export const VERSION = /\/static\/([0-9a-f]{12})\//.exec(import.meta.url)?.[1] ?? "dev";

/**
 * Return whether the server has another version of this page. A version that this tab has reloaded for already does not
 * count.
 *
 * @returns {Promise<boolean>}
 */
export async function isOutdated() {
  const answer = await request(location.pathname, { method: "HEAD", cache: "no-store" }).catch(() => null);
  const there = answer?.ok ? answer.headers.get(HEADER) : null;
  return there != null && VERSION !== "dev" && there !== VERSION && sessionStorage.getItem(TRIED) !== there;
}

/**
 * Reload the page for the server's version, and note the version: a proxy may still have the old page, so reload once
 * only.
 */
export async function reloadNewVersion() {
  const answer = await request(location.pathname, { method: "HEAD", cache: "no-store" }).catch(() => null);
  const there = answer?.ok ? answer.headers.get(HEADER) : null;
  if (there == null) return;
  sessionStorage.setItem(TRIED, there);
  location.reload();
}
