import { startDisplay } from "../display/start.js";

await startDisplay();
