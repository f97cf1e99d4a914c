import { readFileSync } from "node:fs";
import { addTexts, loadLanguage } from "../../web/js/shared/i18n.js";

/** Load the English texts of the page from their files, as the browser would. */
export async function speak() {
  globalThis.location = { search: "" };
  globalThis.document = { documentElement: {}, querySelectorAll: () => [] };
  globalThis.fetch = async (address) => ({ json: async () => JSON.parse(readFileSync(new URL(address), "utf8")) });
  addTexts("insights");
  await loadLanguage(["en"]);
}
