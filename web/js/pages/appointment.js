import { startAppointment } from "../appointment/start.js";

await startAppointment();
