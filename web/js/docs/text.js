/** The building blocks of the page: texts, code, and folded parts. */

import { copyText } from "../shared/clipboard.js";
import { element, setText } from "../shared/dom.js";

const COPIED_MS = 1600;

/**
 * Return the nodes of a line of Markdown: `code`, **strong** and plain text.
 *
 * @param {string} text
 * @returns {(Node | string)[]}
 */
export const line = (text) =>
  text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (part.startsWith("`") && part.length > 1) return element("code", {}, part.slice(1, -1));
    if (part.startsWith("**")) return element("strong", {}, part.slice(2, -2));
    return part;
  });

/**
 * Return the paragraphs of a text.
 *
 * @param {string} text  Markdown, with empty lines between the paragraphs
 * @returns {HTMLElement[]}
 */
export const prose = (text) =>
  text
    .split(/\n{2,}/)
    .filter((part) => part.trim())
    .map((part) => element("p", {}, ...line(part.replace(/\s*\n/g, " "))));

/**
 * Return a block of code that scrolls by itself, with a button that copies it.
 *
 * @param {string} text
 * @param {string} what  its accessible name
 */
export function block(text, what) {
  const button = element("button", { className: "button docs-copy", type: "button", "aria-label": `Copy ${what}` }, "Copy");
  button.addEventListener("click", async () => {
    const copied = await copyText(text);
    if (!copied) getSelection()?.selectAllChildren(code); // to copy by hand
    setText(button, copied ? "Copied" : "Marked");
    setTimeout(() => setText(button, "Copy"), COPIED_MS);
  });
  const code = element("code", {}, text);
  return element("div", { className: "docs-block" }, element("pre", { tabIndex: 0, "aria-label": what }, code), button);
}

/** @param {unknown} value */
export const formatJson = (value) => JSON.stringify(value, null, 2);

/**
 * Return a `details` element whose content is made when it is first opened.
 *
 * @param {string} title
 * @param {() => (Node | string)[]} content
 * @param {string} [className]
 */
export function folded(title, content, className = "docs-fold") {
  const made = element("details", { className }, element("summary", {}, title));
  made.addEventListener("toggle", () => made.childElementCount === 1 && made.append(...content()), { once: true });
  return made;
}
