/**
 * Where a stream's messages come from: server-sent events or WebSocket. Both bring the same four messages.
 *
 * A source is opened once and never mends itself; `connection.js` opens the next.
 *
 * @typedef {object} Listener
 * @property {(type: string, id: string | null, text: string) => void} message  text is the payload's JSON
 * @property {(say: (text: string) => void) => void} ready  it takes what we say back
 * @property {() => void} lost                      it ended, or never came about
 * @property {(status: number) => void} refused     the server says that we may not (401, 403) or that there is nothing (404)
 *
 * @typedef {(address: string, listener: Listener) => () => void} Open  returns how to close it
 */

const TYPES = ["snapshot", "change", "heartbeat", "bye"];
const REFUSALS = new Set([401, 403, 404]);
const CLOSE_NOT_ALLOWED = 3500;
const PROBE_MS = 10_000;

/** Server-sent events, by the browser's own EventSource. @type {Open} */
export function openEvents(address, listener) {
  const probe = new AbortController();
  const source = new EventSource(address);
  for (const type of TYPES) {
    source.addEventListener(type, (event) => {
      // An event without an id repeats the last one's; a `bye` has none.
      listener.message(type, event.lastEventId || null, event.data);
    });
  }
  source.onerror = () => {
    // Of itself it would come back after a while, but not after any answer other than 200, and never with our back-off.
    const gaveUp = source.readyState === EventSource.CLOSED;
    source.close();
    if (gaveUp) void ask();
    else listener.lost();
  };

  /** Find out why: an EventSource tells its page nothing of the answer. */
  async function ask() {
    const limit = setTimeout(() => probe.abort(), PROBE_MS);
    try {
      const { status } = await fetch(address, { method: "HEAD", cache: "no-store", signal: probe.signal });
      if (REFUSALS.has(status)) listener.refused(status);
      else listener.lost();
    } catch {
      listener.lost();
    } finally {
      clearTimeout(limit);
    }
  }

  return () => {
    source.close();
    probe.abort();
  };
}

/** WebSocket: one JSON frame for each message, its type and id in front. @type {Open} */
export function openFrames(address, listener) {
  const url = new URL(address, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url);
  socket.onopen = () => listener.ready((text) => socket.send(text));
  socket.onmessage = (event) => {
    const { type, id = null } = JSON.parse(event.data);
    listener.message(type, id, event.data);
  };
  socket.onclose = (event) => {
    if (event.code < CLOSE_NOT_ALLOWED || event.code > 3999) listener.lost();
    else if (event.reason === "not_signed_in") listener.refused(401);
    else listener.refused(event.reason.endsWith("_not_found") ? 404 : 403);
  };
  return () => socket.close();
}
