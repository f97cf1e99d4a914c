import { showPageTools } from "../components/page-tools.js";
import { find } from "../shared/dom.js";
import { loadLanguage } from "../shared/i18n.js";

await loadLanguage();
showPageTools(find("[data-tools]"));
