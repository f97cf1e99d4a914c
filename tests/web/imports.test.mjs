import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const JS = resolve(dirname(fileURLToPath(import.meta.url)), "../../web/js");
const STATIC = /\bfrom "(\.[^"]+)"/g;
const DYNAMIC = /\bimport\("(\.[^"]+)"\)/g;

/** The folders that a folder may import from, besides itself. */
const BELOW = {
  shared: [],
  live: ["shared"],
  components: ["shared", "live"],
  desk: ["components", "shared", "live"],
  device: ["components", "shared", "live"],
  ticket: ["components", "shared", "live"],
};
const SCREENS = ["account", "account-link", "admin", "insights", "reception", "room", "calendar", "display", "kiosk", "patient", "appointment", "join", "book", "docs", "welcome", "replay"];
/** The pages of a patient's ticket: `ticket` has what they share. */
const PATIENTS = ["pages/appointment.js", "pages/patient.js"];
/** The pages of the devices: `device` has what they share. */
const DEVICES = ["pages/display.js", "pages/kiosk.js"];
/** The pages of the staff: `desk` has what they share. */
const STAFF = ["pages/admin.js", "pages/calendar.js", "pages/insights.js", "pages/reception.js", "pages/replay.js", "pages/room.js"];
/** The frame of a past screen draws with the modules of these screens. No page imports it: it is a document of its own. */
const REPLAYED = ["calendar", "kiosk", "reception", "room"];
const sharedBy = (screen) => (["display", "kiosk"].includes(screen) ? "device" : ["patient", "appointment"].includes(screen) ? "ticket" : "desk");
const ALLOWED = new Map([
  ...Object.entries(BELOW),
  ...SCREENS.map((screen) => [screen, [sharedBy(screen), ...BELOW.desk]]),
  ["replay-frame", [...REPLAYED, ...BELOW.desk]],
  ["pages", [...SCREENS, "components", "shared", "live"]],
]);

/** The modules that no page imports: the service worker, and the document in the frame of a past screen with its own part. */
const ALONE = ["service-worker.js", "replay-frame/frame.js", "replay-frame/past-calendar.js"];

const modules = readdirSync(JS, { recursive: true }).filter((name) => name.endsWith(".js"));
const folderOf = (module) => dirname(module);

/** The modules that a module imports by a kind of import, as paths in `web/js`. Types do not count. */
function importsOf(module, kind) {
  const code = readFileSync(join(JS, module), "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
  return [...code.matchAll(kind)].map(([, path]) => join(dirname(module), path));
}

const importsAtOnce = new Map(modules.map((module) => [module, importsOf(module, STATIC)]));
const imports = new Map(modules.map((module) => [module, [...importsAtOnce.get(module), ...importsOf(module, DYNAMIC)]]));

const PAGES = join(JS, "../pages");
const LONGEST_CHAIN = 2;

/** The modules that a page's HTML names: the browser requests them first. */
const namedBy = (page) =>
  [...readFileSync(join(PAGES, page), "utf8").matchAll(/(?:href|src)="\/static\/js\/([^"]+)"/g)].map(([, module]) => module);

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

test("desk holds what the pages of the staff share", () => {
  for (const module of modules.filter((each) => folderOf(each) === "desk")) {
    const pages = pagesThatLoad(module);
    assert.ok(pages.length > 1 && pages.every((page) => STAFF.includes(page)), `${module}: ${pages}`);
  }
});

test("device holds what the pages of the devices share", () => {
  for (const module of modules.filter((each) => folderOf(each) === "device")) {
    assert.deepEqual(pagesThatLoad(module), DEVICES, module);
  }
});

test("ticket holds what the pages of a patient share", () => {
  for (const module of modules.filter((each) => folderOf(each) === "ticket")) {
    assert.deepEqual(pagesThatLoad(module).sort(), PATIENTS, module);
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

for (const page of readdirSync(PAGES)) {
  test(`${page}: the browser finds every module within ${LONGEST_CHAIN} steps`, () => {
    const found = new Set();
    let step = namedBy(page);
    for (let steps = 1; steps <= LONGEST_CHAIN; steps += 1) {
      for (const module of step) found.add(module);
      step = step.flatMap((module) => importsAtOnce.get(module)).filter((each) => !found.has(each));
    }
    assert.deepEqual(step, []);
  });

  test(`${page}: it preloads only modules that it loads`, () => {
    const entry = `pages/${page.replace(".html", ".js")}`;
    const loaded = loadedBy(entry);
    assert.deepEqual(namedBy(page).filter((module) => module !== "shared/theme.js" && !loaded.has(module)), []);
  });
}
