import { showTools } from "../components/tools.js";
import { find } from "../dom.js";
import { speak } from "../i18n.js";

await speak();
showTools(find("[data-tools]"));
