// Follows a stream by npm's eventsource, which reconnects by itself. Prints each message as a line of JSON.
import { EventSource } from "eventsource";

const source = new EventSource(process.argv[2]);
for (const kind of ["snapshot", "change", "heartbeat", "bye"]) {
  source.addEventListener(kind, ({ data, lastEventId }) => {
    console.log(JSON.stringify({ kind, id: lastEventId || null, body: JSON.parse(data) }));
  });
}
