import { loadStyle } from "../shared/dom.js";
import { loadPart } from "../shared/i18n.js";

/** Load the part of a dialog that says which messages reach a patient. Throws what `import` throws. */
export async function contactPart() {
  const [{ contactLines }] = await Promise.all([import("./contact-lines.js"), loadPart("contact"), loadStyle("contact")]);
  return contactLines();
}
