import { startRoom } from "../room/start.js";

await startRoom();
