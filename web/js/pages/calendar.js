import { startCalendar } from "../calendar/start.js";

await startCalendar();
