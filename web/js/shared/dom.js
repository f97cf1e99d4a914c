/** Making and arranging elements. Text is always text: nothing here reads markup. */

/**
 * Return a new element. A property that the element has is set, every other name is an attribute; null leaves it out.
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

/**
 * Return the one element of a page that matches.
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
 * Set an element's text, if it is another: a live region then speaks only when there is something new.
 *
 * @param {Element} target
 * @param {string} text
 */
export function setText(target, text) {
  const only = target.firstChild;
  // A text that is there is written over: hundreds of rows at once would else drop as many for the browser to collect.
  if (text !== "" && only !== null && only === target.lastChild && only.nodeType === Node.TEXT_NODE) {
    if (only.nodeValue !== text) only.nodeValue = text;
  } else if (target.textContent !== text) target.textContent = text;
}

/** @type {WeakMap<Element, Map<unknown, Element>>} */
const arranged = new WeakMap();

/**
 * Bring a parent's children into line with a list, each item keeping its own element for as long as it is in the list:
 * focus, selection and running animations stay.
 *
 * @template T
 * @template {Element} E
 * @param {Element} parent  holds nothing else
 * @param {readonly T[]} items
 * @param {(item: T) => unknown} key
 * @param {(item: T) => E} make
 * @param {(made: E, item: T) => void} update
 */
export function updateList(parent, items, key, make, update) {
  const before = /** @type {Map<unknown, E>} */ (arranged.get(parent) ?? new Map());
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
    // The one that stood here has gone further down: it is put there in its turn, and nobody else is touched.
    else if (place !== null && made === place.nextElementSibling) place = made.nextElementSibling;
    else parent.insertBefore(made, place);
  }
  arranged.set(parent, after);
  // An element that is put elsewhere loses the focus on the way.
  if (focused instanceof HTMLElement && focused !== document.activeElement && parent.contains(focused)) {
    focused.focus({ preventScroll: true });
  }
}
