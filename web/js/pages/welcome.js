import { startWelcome } from "../welcome/start.js";

await startWelcome();
