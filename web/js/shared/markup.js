/** Parts of a page that load later: `web/markup` has their elements, and `web/locales` their texts under the same name. */

import { loadPart, translate } from "./i18n.js";

const LIMIT_MS = 30_000;

/** @type {Map<string, Promise<void>>} */
const loading = new Map();

/**
 * Add the elements of a file of `web/markup` to the end of the page, once, in the page's language. Throws if they do not load.
 *
 * @param {string} name
 * @returns {Promise<void>}
 */
export function loadMarkup(name) {
  let found = loading.get(name);
  if (found === undefined) {
    found = addMarkup(name);
    found.catch(() => loading.delete(name));
    loading.set(name, found);
  }
  return found;
}

/** @param {string} name */
async function addMarkup(name) {
  const [{ body }] = await Promise.all([documentAt(new URL(`../../markup/${name}.html`, import.meta.url).href), loadPart(name)]);
  translate(body);
  document.body.append(...body.children);
}

/**
 * Return a file of this server as a document. No text of the page becomes markup.
 *
 * @param {string} address
 * @returns {Promise<Document>}
 */
function documentAt(address) {
  return new Promise((resolve, reject) => {
    const asked = new XMLHttpRequest();
    const fail = () => reject(new Error(`${address} does not load`));
    asked.open("GET", address);
    asked.responseType = "document";
    asked.timeout = LIMIT_MS;
    asked.onload = () => (asked.status === 200 && asked.responseXML !== null ? resolve(asked.responseXML) : fail());
    asked.onerror = asked.ontimeout = fail;
    asked.send();
  });
}
