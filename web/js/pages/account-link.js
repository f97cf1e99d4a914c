import { startAccountLink } from "../account-link/page.js";

await startAccountLink();
