import { startPatient } from "../patient/start.js";

await startPatient();
