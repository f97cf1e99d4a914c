import { startBooking } from "../book/start.js";

await startBooking();
