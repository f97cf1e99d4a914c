import { startReplay } from "../replay/start.js";

await startReplay();
