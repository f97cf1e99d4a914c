import { showReaderSettings } from "../components/reader-settings.js";
import { find } from "../shared/dom.js";
import { loadLanguage } from "../shared/i18n.js";

await loadLanguage();
showReaderSettings(find("[data-tools]"));
