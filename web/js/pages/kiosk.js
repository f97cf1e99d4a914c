import { startKiosk } from "../kiosk/start.js";

void startKiosk();
