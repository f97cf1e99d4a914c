/** The page of the API: it shows the server's own OpenAPI document. */

import { showReaderSettings } from "../components/reader-settings.js";
import { element, find, setText } from "../shared/dom.js";
import { addTexts, currentLanguage, loadLanguage, t } from "../shared/i18n.js";
import { ApiDocument } from "./api.js";
import { operationElement } from "./operation.js";
import { startSearch } from "./search.js";
import { prose } from "./text.js";

/** @typedef {import("./api.js").Operation} Operation */

const ADDRESS = "/api/openapi.json";

/** Start the page: load the document and show it. */
export async function startDocs() {
  addTexts("docs");
  await loadLanguage();
  showReaderSettings(find("[data-tools]"));
  find("[data-language]").hidden = currentLanguage() === "en";
  try {
    const answer = await fetch(ADDRESS);
    if (!answer.ok) throw new Error(String(answer.status));
    show(new ApiDocument(await answer.json()));
    addEventListener("hashchange", openTarget);
  } catch {
    const about = find("[data-about]");
    about.removeAttribute("lang");
    about.removeAttribute("dir");
    about.replaceChildren(element("p", { role: "alert" }, t("docs.unreachable")));
  }
}

/** @param {ApiDocument} api */
function show(api) {
  setText(find("[data-version]"), api.version);
  find("[data-about]").replaceChildren(...prose(api.description));
  const operations = api.operations();
  const index = find("[data-index]");
  for (const { name, description } of api.tags) {
    const own = operations.filter(({ operation }) => operation.tags.includes(name));
    find("[data-operations]").append(groupOf(api, name, description, own));
    index.append(linksOf(name, own));
  }
  const errors = element("li", {}, element("a", { href: "#errors" }, "Error codes"));
  index.append(element("div", {}, element("h2", {}, "More"), element("ol", {}, errors)));
  showErrors(api);
  startSearch(operations);
  openTarget();
}

/**
 * @param {ApiDocument} api
 * @param {string} name
 * @param {string} description
 * @param {Operation[]} operations
 */
function groupOf(api, name, description, operations) {
  const title = `group-${name.toLowerCase().replace(/\W/g, "-")}`;
  return element(
    "section",
    { className: "docs-group", "aria-labelledby": title },
    element("h2", { id: title }, name),
    element("p", {}, description),
    ...operations.map((each) => operationElement(api, each)),
  );
}

/**
 * @param {string} name
 * @param {Operation[]} operations
 */
function linksOf(name, operations) {
  const links = operations.map(({ id, path }) =>
    element("li", { "data-for": id }, element("a", { href: `#${id}` }, path.split("/commands/")[1] ?? id)),
  );
  return element("div", { "data-links": "" }, element("h2", {}, name), element("ol", {}, ...links));
}

/** @param {ApiDocument} api */
function showErrors(api) {
  const codes = Object.entries(api.errorCodes).sort(([one, a], [other, b]) => a.status - b.status || one.localeCompare(other));
  const rows = codes.map(([code, { status, message }]) =>
    element(
      "tr",
      { id: `error-${code}`, tabIndex: -1 },
      element("th", { scope: "row" }, element("code", {}, code)),
      element("td", {}, String(status)),
      element("td", {}, message),
    ),
  );
  const head = element("tr", {}, ...["Code", "Status", "What it says"].map((text) => element("th", { scope: "col" }, text)));
  const table = element("table", { className: "docs-fields" }, element("thead", {}, head), element("tbody", {}, ...rows));
  const errors = find("[data-errors]");
  errors.append(table);
  errors.hidden = false;
}

/** Open and show the part of the page that the address names. */
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target === null) return;
  target.hidden = false;
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    find("summary", target).focus({ preventScroll: true });
  }
  target.scrollIntoView();
}
