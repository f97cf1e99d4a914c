// Follows a stream by npm's ws, and reconnects with the last id. Prints each message as a line of JSON.
import WebSocket from "ws";

let last = null;

function follow() {
  const url = new URL(process.argv[2]);
  if (last !== null) url.searchParams.set("last_event_id", last);
  const socket = new WebSocket(url);
  socket.on("message", (frame) => {
    const { type: kind, id = null, ...body } = JSON.parse(frame);
    last = id ?? last;
    console.log(JSON.stringify({ kind, id, body }));
  });
  socket.on("error", () => {});
  socket.on("close", () => setTimeout(follow, 500));
}

follow();
