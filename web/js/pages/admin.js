import { startAdmin } from "../admin/start.js";

await startAdmin();
