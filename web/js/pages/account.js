import { startAccount } from "../account/start.js";

await startAccount();
