import { speak } from "../i18n.js";

await speak();
