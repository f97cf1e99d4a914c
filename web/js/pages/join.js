import { startJoining } from "../join/start.js";

await startJoining();
