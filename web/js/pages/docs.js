import { startDocs } from "../docs/start.js";

await startDocs();
