/**
 * Lets a display and a patient's page come up without the network: their page, and the files that it loaded.
 *
 * A page is asked of the server first, and the kept one shown only if that does not answer; files have their version in
 * their address, so the kept ones are right. What is kept has no ticket and no token in it: pages are kept by their kind,
 * and they are empty until their stream fills them. Live streams, commands and everything else are left alone.
 */

const CACHE = "now-serving";
const PAGE_LIMIT_MS = 5_000;
const KINDS = /^\/(display|t)\/[^/]+$/;
const FILE = /^\/static\/([0-9a-f]{12})\//;

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));

worker.addEventListener("install", () => void worker.skipWaiting());
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (FILE.test(url.pathname)) event.respondWith(file(request));
  else if (request.mode === "navigate" && KINDS.test(url.pathname)) event.respondWith(page(request, url));
});

/** A page tells what it has loaded: that is kept, and what earlier versions of it had is not. */
worker.addEventListener("message", (event) => {
  const { files, kind } = event.data;
  event.waitUntil(keep(files, kind));
});

/** @param {Request} request */
async function file(request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(request.url)) ?? fetch(request);
}

/**
 * @param {Request} request
 * @param {URL} url
 */
async function page(request, url) {
  const kept = `/${url.pathname.split("/")[1]}`;
  const cache = await caches.open(CACHE);
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(PAGE_LIMIT_MS) });
    if (answer.status < 500) return answer;
    return (await cache.match(kept)) ?? answer;
  } catch (error) {
    const found = await cache.match(kept);
    if (found === undefined) throw error;
    return found;
  }
}

/**
 * @param {string[]} files  addresses of files, with their version
 * @param {string} kind     the page: `/display` or `/t`
 */
async function keep(files, kind) {
  const cache = await caches.open(CACHE);
  const version = FILE.exec(files[0] ?? "")?.[1];
  if (version === undefined) return;
  const known = new Set((await cache.keys()).map((each) => new URL(each.url).pathname));
  await Promise.all(files.filter((each) => !known.has(each)).map((each) => cache.add(each)));
  // Any address of the kind has the same page.
  const answer = await fetch(`${kind}/0`, { headers: { Accept: "text/html" } });
  if (answer.ok && (await answer.clone().text()).includes(`/static/${version}/`)) await cache.put(kind, answer);
  for (const path of known) {
    const old = FILE.exec(path)?.[1];
    if (old !== undefined && old !== version) await cache.delete(path);
  }
}
