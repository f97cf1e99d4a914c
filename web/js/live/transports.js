/**
 * The transports of a stream: server-sent events or WebSocket. Both carry the same four types of message.
 *
 * A transport does not reconnect: `connection.js` opens a new one.
 *
 * @typedef {object} Listener
 * @property {(type: string, id: string | null, text: string) => void} message  `text`: the payload as JSON
 * @property {(send: (text: string) => void) => void} ready  called when the transport can send, with the function to send
 * @property {() => void} lost                      the transport has closed, or did not open
 * @property {(status: number) => void} refused     the server refuses the stream: 401, 403 or 404
 *
 * @typedef {(address: string, listener: Listener) => () => void} Open  returns the function that closes it
 */

const TYPES = ["snapshot", "change", "heartbeat", "bye"];
const REFUSALS = new Set([401, 403, 404]);
const CLOSE_NOT_ALLOWED = 3500;
const PROBE_MS = 10_000;

/** Open a stream of server-sent events, with the browser's EventSource. @type {Open} */
export function openEvents(address, listener) {
  const probe = new AbortController();
  const source = new EventSource(address);
  for (const type of TYPES) {
    source.addEventListener(type, (event) => {
      // An event without an id repeats the last id. A `bye` has no id of its own.
      listener.message(type, event.lastEventId || null, event.data);
    });
  }
  source.onerror = () => {
    // EventSource reconnects by itself only after an answer of 200, and without our back-off. So close it.
    const gaveUp = source.readyState === EventSource.CLOSED;
    source.close();
    if (gaveUp) void findStatus();
    else listener.lost();
  };

  /** Ask for the status: an EventSource does not tell it. */
  async function findStatus() {
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

/** Open a WebSocket: one JSON frame for each message, with its type and id. @type {Open} */
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
