import { startInsights } from "../insights/start.js";

await startInsights();
