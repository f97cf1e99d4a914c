import { showTools } from "../components/page-tools.js";
import { find } from "../shared/dom.js";
import { speak } from "../shared/i18n.js";

await speak();
showTools(find("[data-tools]"));
