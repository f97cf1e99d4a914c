import { startReception } from "../reception/start.js";

await startReception();
