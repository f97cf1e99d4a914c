/** Making, finding and updating elements. Text stays text: nothing here parses markup. */

/**
 * Return a new element. A name that is a property of the element sets the property; any other name sets an attribute. null
 * sets nothing.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (name in made) Reflect.set(made, name, value);
    else made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * Return an icon: one path, drawn with a line on a field of 24 by 24. Its text stands beside it.
 *
 * @param {string} path
 */
export function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

/**
 * Return the first element that matches. Throws if there is none.
 *
 * @template {Element} [T=HTMLElement]
 * @param {string} selector
 * @param {ParentNode} [within]
 * @returns {T}
 */
export function find(selector, within = document) {
  const found = /** @type {T | null} */ (within.querySelector(selector));
  if (found === null) throw new Error(`this page has no ${selector}`);
  return found;
}

/**
 * Add a style sheet of `web/css` to the page, for a part of the page that opens later. A sheet that the page has is not
 * added again. Throws if it does not load.
 *
 * @param {string} name
 * @param {string} [media]
 * @returns {Promise<void>}
 */
export function loadStyle(name, media = "all") {
  const href = new URL(`../../css/${name}.css`, import.meta.url).href;
  if ([...document.styleSheets].some((each) => each.href === href)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const onerror = () => reject(new Error(`${href} does not load`));
    document.head.append(element("link", { rel: "stylesheet", href, media, onload: () => resolve(), onerror }));
  });
}

/**
 * Set an element's text if it differs, so that a screen reader reads a live region only when it has changed.
 *
 * @param {Element} target
 * @param {string} text
 */
export function setText(target, text) {
  const only = target.firstChild;
  // Reuse the text node: with hundreds of rows at once, new nodes would leave as many old ones for garbage collection.
  if (text !== "" && only !== null && only === target.lastChild && only.nodeType === Node.TEXT_NODE) {
    if (only.nodeValue !== text) only.nodeValue = text;
  } else if (target.textContent !== text) target.textContent = text;
}

/** @type {WeakMap<Element, Map<unknown, Element>>} */
const shown = new WeakMap();

/**
 * Make a parent's children match a list. An item keeps its element while it is in the list, so that focus, selection and
 * running animations stay.
 *
 * @template T
 * @template {Element} E
 * @param {Element} parent  has no other children
 * @param {readonly T[]} items
 * @param {(item: T) => unknown} key
 * @param {(item: T) => E} make
 * @param {(made: E, item: T) => void} update
 */
export function updateList(parent, items, key, make, update) {
  const before = /** @type {Map<unknown, E>} */ (shown.get(parent) ?? new Map());
  /** @type {Map<unknown, E>} */
  const after = new Map();
  for (const item of items) {
    const made = before.get(key(item)) ?? make(item);
    update(made, item);
    after.set(key(item), made);
  }
  for (const [each, made] of before) if (!after.has(each)) made.remove();
  const focused = document.activeElement;
  let place = parent.firstElementChild;
  for (const made of after.values()) {
    if (made === place) place = place.nextElementSibling;
    // The element here has moved down: it gets its place in its turn, and no other element moves.
    else if (place !== null && made === place.nextElementSibling) place = made.nextElementSibling;
    else parent.insertBefore(made, place);
  }
  shown.set(parent, after);
  // An element that moves loses the focus: give it back.
  if (focused instanceof HTMLElement && focused !== document.activeElement && parent.contains(focused)) {
    focused.focus({ preventScroll: true });
  }
}
