import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const JS = resolve(dirname(fileURLToPath(import.meta.url)), "../../web/js");
const IMPORT = /(?:\bfrom |\bimport\()"(\.[^"]+)"/g;

/** The folders that each folder may import from, itself included. */
const BELOW = { shared: [], live: [], components: ["shared", "live"], desk: ["components", "shared", "live"] };
const SCREENS = ["reception", "room", "display", "patient", "docs"];
const ALLOWED = new Map([
  ...Object.entries(BELOW),
  ...SCREENS.map((screen) => [screen, ["desk", "components", "shared", "live"]]),
  ["pages", [...SCREENS, "components", "shared", "live"]],
]);

/** The modules that stand alone: the service worker imports nothing, and no page imports it. */
const ALONE = ["service-worker.js"];

const modules = readdirSync(JS, { recursive: true }).filter((name) => name.endsWith(".js"));
const folderOf = (module) => dirname(module);

/** The modules that a module imports, by their path in `web/js`; dynamic imports included, types not. */
function importsOf(module) {
  const code = readFileSync(join(JS, module), "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
  return [...code.matchAll(IMPORT)].map(([, path]) => join(dirname(module), path));
}

const imports = new Map(modules.map((module) => [module, importsOf(module)]));

/** Every module that a page loads, at once or later. */
function loadedBy(page, found = new Set()) {
  if (found.has(page)) return found;
  found.add(page);
  for (const each of imports.get(page) ?? []) loadedBy(each, found);
  return found;
}

const pagesThatLoad = (module) => modules.filter((page) => folderOf(page) === "pages" && loadedBy(page).has(module));

test("every module lies in a folder that has a rule", () => {
  assert.deepEqual(modules.filter((module) => !ALONE.includes(module) && !ALLOWED.has(folderOf(module))), []);
});

test("imports point from pages to screens, desk, components, and then shared or live", () => {
  for (const [module, imported] of imports) {
    const folder = folderOf(module);
    const allowed = [folder, ...(ALLOWED.get(folder) ?? [])];
    assert.deepEqual(imported.filter((each) => !allowed.includes(folderOf(each))), [], module);
  }
});

test("no page imports another page", () => {
  for (const [module, imported] of imports) {
    assert.deepEqual(imported.filter((each) => folderOf(each) === "pages"), [], module);
  }
});

test("no module imports itself through others", () => {
  for (const module of modules) {
    const reached = new Set();
    for (const each of imports.get(module) ?? []) loadedBy(each, reached);
    assert.ok(!reached.has(module), module);
  }
});

test("a screen's folder holds what only its page loads", () => {
  for (const module of modules.filter((each) => SCREENS.includes(folderOf(each)))) {
    assert.deepEqual(pagesThatLoad(module), [`pages/${folderOf(module)}.js`], module);
  }
});

test("desk holds what reception and the rooms share", () => {
  for (const module of modules.filter((each) => folderOf(each) === "desk")) {
    assert.deepEqual(pagesThatLoad(module), ["pages/reception.js", "pages/room.js"], module);
  }
});

test("components holds what several pages share", () => {
  for (const module of modules.filter((each) => folderOf(each) === "components")) {
    assert.ok(pagesThatLoad(module).length > 1, module);
  }
});

test("every module is loaded by a page", () => {
  assert.deepEqual(modules.filter((module) => !ALONE.includes(module) && pagesThatLoad(module).length === 0), []);
});
