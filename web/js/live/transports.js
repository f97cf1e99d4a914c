/**
 * The transports of a stream: WebSocket or server-sent events. Both carry the same four types of message.
 *
 * A transport does not reconnect: `connection.js` opens a new one.
 *
 * @typedef {object} Listener
 * @property {(type: string, id: string | null, text: string) => void} message  `text`: the payload as JSON
 * @property {(send: (text: string) => void) => void} ready  called when the transport can send, with the function to send
 * @property {() => void} lost                      the transport has closed, or did not open
 * @property {() => void} blocked                   the server answers, but lets no WebSocket through
 * @property {(status: number) => void} refused     the server refuses the stream: 401, 403 or 404
 *
 * @typedef {(address: string, listener: Listener) => () => void} Open  returns the function that closes it, without a call
 */

import { isFromServer, refusalOf, request } from "../shared/request.js";

const TYPES = ["snapshot", "change", "heartbeat", "bye"];
const REFUSALS = new Set([401, 403, 404]);
const CLOSE_NOT_ALLOWED = 3500;
const PROBE_MS = 10_000;
const HANDSHAKE_MS = 5_000; // some proxies swallow the handshake of a WebSocket

/** Open a stream of server-sent events, with the browser's EventSource. @type {Open} */
export function openEvents(address, listener) {
  const closed = new AbortController();
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
    if (gaveUp) void tellWhy(address, closed.signal, { ...listener, blocked: listener.lost });
    else listener.lost();
  };
  return () => {
    source.onerror = null;
    source.close();
    closed.abort();
  };
}

/** Open a WebSocket: one JSON frame for each message, with its type and id. @type {Open} */
export function openFrames(address, listener) {
  const closed = new AbortController();
  const url = new URL(address, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url);
  const limit = setTimeout(() => socket.close(), HANDSHAKE_MS);
  let opened = false;
  socket.onopen = () => {
    opened = true;
    clearTimeout(limit);
    listener.ready((text) => socket.send(text));
  };
  socket.onmessage = (event) => {
    const { type, id = null } = JSON.parse(event.data);
    listener.message(type, id, event.data);
  };
  socket.onclose = ({ code, reason }) => {
    clearTimeout(limit);
    if (code === CLOSE_NOT_ALLOWED) listener.refused(reason === "not_signed_in" ? 401 : reason.endsWith("_not_found") ? 404 : 403);
    else if (opened) listener.lost();
    else void tellWhy(address, closed.signal, listener);
  };
  return () => {
    clearTimeout(limit);
    socket.onclose = socket.onmessage = null;
    socket.close();
    closed.abort();
  };
}

/**
 * Ask why a stream did not open, because neither transport tells its status. Only a marked answer is a refusal: a proxy
 * answers 403 or 404 too, for example while the server restarts.
 *
 * @param {string} address
 * @param {AbortSignal} signal
 * @param {Listener} listener
 */
async function tellWhy(address, signal, listener) {
  const answer = await request(address, { method: "HEAD", cache: "no-store", signal }, PROBE_MS).catch(() => null);
  if (signal.aborted) return;
  if (answer === null) listener.lost();
  else if (refusalOf(answer) !== null && REFUSALS.has(answer.status)) listener.refused(answer.status);
  else if (answer.ok && isFromServer(answer)) listener.blocked();
  else listener.lost();
}
