/**
 * Lets the live screens start without the network: it caches their page and the files that the page has loaded. It also
 * shows the messages that a patient's phone gets while the page is closed.
 *
 * A page comes from the server first, and from the cache only if the server does not answer. A file has its version in its
 * address, so a cached file is never out of date. The cache holds no ticket and no token: pages are cached by their kind,
 * and they are empty until their stream fills them. Live streams, commands and all other requests pass unchanged.
 */

const CACHE = "now-serving";
const PAGE_LIMIT_MS = 5_000;
const KINDS = /^(?:(\/display|\/kiosk|\/t|\/a)\/[^/]+|(\/reception|\/room|\/calendar))$/;
const FILE = /^\/static\/([0-9a-f]{12})\//;

const TURN = "turn"; // the page's own notification of a call has the same tag
const OF_TURN = new Set(["called", "almost-your-turn", "no-show"]);
const PATTERN = [400, 150, 400, 150, 400];
const ANSWER_LIMIT_MS = 500;
/** Safari ends a subscription after a few messages without a notification, even if its page is in sight. */
const WEBKIT = /AppleWebKit/.test(navigator.userAgent) && !/Chrom/.test(navigator.userAgent);

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

/** A page sends the list of files that it has loaded: cache them, and drop the files of earlier versions. */
worker.addEventListener("message", (event) => {
  const { files, kind } = event.data;
  event.waitUntil(keep(files, kind));
});

worker.addEventListener("push", (event) => event.waitUntil(show(event.data?.json())));

worker.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data.path));
});

/** @typedef {{title: string, body: string, url: string | null, language: string, tag: string, kind: string | null}} PushMessage */

/**
 * Show a message, unless the patient sees the page that it leads to. Messages about one's turn replace each other.
 *
 * @param {PushMessage} message
 */
async function show({ title, body, url, language, tag, kind }) {
  const path = url === null ? "/" : new URL(url).pathname; // a trial message of an administrator may have none
  const { seen, rings } = await pageAt(path);
  if (seen && !WEBKIT) return;
  const ofTurn = kind !== null && OF_TURN.has(kind);
  /** @type {NotificationOptions & {renotify: boolean, vibrate?: number[]}} */
  const options = {
    body,
    lang: language,
    dir: "auto",
    tag: ofTurn ? TURN : tag,
    data: { path },
    requireInteraction: kind === "called",
    renotify: !rings && !seen,
    silent: seen,
  };
  if (ofTurn && !seen) options.vibrate = PATTERN;
  await worker.registration.showNotification(title, options);
}

/**
 * Return whether a page at this path is in the patient's sight and live, and whether it rings.
 *
 * @param {string} path
 * @returns {Promise<{seen: boolean, rings: boolean}>}
 */
async function pageAt(path) {
  const windows = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  const asked = windows.filter(({ url }) => new URL(url).pathname === path).map(answerOf);
  const answers = await Promise.all(asked);
  return { seen: answers.some(({ seen }) => seen), rings: answers.some(({ rings }) => rings) };
}

/**
 * @param {Client} page
 * @returns {Promise<{seen: boolean, rings: boolean}>}
 */
function answerOf(page) {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    setTimeout(() => resolve({ seen: false, rings: false }), ANSWER_LIMIT_MS);
    port1.onmessage = ({ data }) => resolve(data);
    page.postMessage("shown?", [port2]);
  });
}

/**
 * Bring the page of a message to the front, or open it.
 *
 * @param {string} path
 */
async function open(path) {
  const windows = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = windows.find(({ url }) => new URL(url).pathname === path);
  await (page?.focus() ?? worker.clients.openWindow(path));
}

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
  const [, ofMany, single] = KINDS.exec(url.pathname) ?? [];
  const cache = await caches.open(CACHE);
  const kept = await cache.match(ofMany ?? single ?? "");
  if (kept === undefined) return fetch(request); // without a cached page, wait for the server without a limit
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(PAGE_LIMIT_MS) });
    // A proxy answers too, for example 404 while the server restarts. A redirection leads to a sign-in of the network.
    return answer.type === "opaqueredirect" || answer.headers.has("X-Web-Version") ? answer : kept;
  } catch {
    return kept;
  }
}

/**
 * Cache the files and the page of a kind, and delete those of other versions.
 *
 * @param {string[]} files  addresses of files, with their version
 * @param {string} kind     the page: `/display`, `/kiosk`, `/t`, `/a`, `/reception`, `/room` or `/calendar`
 */
async function keep(files, kind) {
  const cache = await caches.open(CACHE);
  const version = FILE.exec(files[0] ?? "")?.[1];
  if (version === undefined) return;
  const known = new Set((await cache.keys()).map((each) => new URL(each.url).pathname));
  await Promise.all(files.filter((each) => !known.has(each)).map((each) => cache.add(each)));
  // Every address of the kind has the same page.
  const address = KINDS.test(kind) ? kind : `${kind}/0`;
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (answer.ok && (await isOf(version, answer))) await cache.put(kind, answer);
  for (const path of known) {
    const old = FILE.exec(path)?.[1];
    if (old === version) continue;
    // Keep a cached page of another kind only with its files: they must be of the same version.
    const page = old === undefined ? await cache.match(path) : undefined;
    if (page === undefined || !(await isOf(version, page))) await cache.delete(path);
  }
}

/**
 * Return whether a page loads files of this version.
 *
 * @param {string} version
 * @param {Response} page
 */
async function isOf(version, page) {
  return (await page.clone().text()).includes(`/static/${version}/`);
}
