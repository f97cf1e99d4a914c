// Follows an address over HTTP/2. Prints the answer's status and headers as a line of JSON, then each chunk of its body.
import { connect } from "node:http2";

const [origin, path, headers = "{}"] = process.argv.slice(2);
const session = connect(origin, { rejectUnauthorized: false });
const stream = session.request({ ":path": path, ...JSON.parse(headers) });
stream.setEncoding("utf8");
stream.on("response", (answer) => {
  console.log(JSON.stringify({ protocol: session.alpnProtocol, status: answer[":status"], headers: answer }));
});
stream.on("data", (chunk) => console.log(JSON.stringify({ chunk })));
stream.on("end", () => session.close());
session.on("error", (error) => {
  console.error(String(error));
  process.exit(1);
});
