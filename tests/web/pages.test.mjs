import assert from "node:assert/strict";
import { readFileSync, readdirSync, existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import ts from "../npm/node_modules/typescript/lib/typescript.js";
import { LANGUAGES } from "../../web/js/shared/i18n.js";

const WEB = resolve(dirname(fileURLToPath(import.meta.url)), "../../web");
const BUDGET_BYTES = 100 * 1024;
// The approximate headers of one answer. Documents and pictures have more: those that protect documents.
const HEADERS_BYTES = 400;
const DOCUMENT_HEADERS_BYTES = 700;
const read = (path) => readFileSync(join(WEB, path), "utf8");
// As the server sends modules: see `server/transport/assets.py`.
const withoutComments = (text) => text.replace(/^[ \t]*(?:\/\*\*(?:[^*]|\*(?!\/))*\*\/|\/\/.*)[ \t]*$/gm, "");
const FOLDERS = readdirSync(join(WEB, "locales"), { withFileTypes: true }).filter((each) => each.isDirectory()).map(({ name }) => name);
/** The folders with the texts of a part, and its pages. `desk` has the modules that the pages of the staff share. */
const PARTS = { ticket: ["patient", "appointment"], appointments: ["reception", "calendar", "room", "desk"], history: ["desk"], delay: ["reception"], contact: ["ticket", "desk"], index: ["demo"], unreached: ["reception", "desk"], doubt: ["reception", "room", "display"], reach: ["desk"], "reception-dialogs": ["reception"] };
/** The texts that the modules of a page may use: the common ones, those of the folder that has the page's name, and those of parts. */
const textsFor = (page, language = "en") =>
  Object.assign({}, ...["", ...FOLDERS.filter((each) => each === page || PARTS[each]?.includes(page)).map((each) => `${each}/`)].map((folder) => JSON.parse(read(`locales/${folder}${language}.json`))));
const pages = readdirSync(join(WEB, "pages"));
/** The parts of pages that load later, each with its page. */
const MARKUP = { "reception-dialogs.html": "reception" };
const modules = readdirSync(join(WEB, "js"), { recursive: true }).filter((name) => name.endsWith(".js"));

/** Every file that a page loads before its fonts: styles, modules with their imports, and the texts. */
function loadedBy(page) {
  const html = read(`pages/${page}`);
  const name = page.replace(".html", "");
  const files = new Set([`pages/${page}`, "locales/en.json", ...FOLDERS.filter((each) => each === name).map((each) => `locales/${each}/en.json`)]);
  const follow = (path) => {
    if (files.has(path)) return;
    files.add(path);
    if (!path.endsWith(".js")) return;
    for (const [, name] of read(path).matchAll(/from "(\.[^"]+)"/g)) follow(join(dirname(path), name));
  };
  for (const [, path] of html.matchAll(/(?:href|src)="\/static\/([^"]+)"/g)) if (!path.startsWith("fonts/")) follow(path);
  return [...files];
}

for (const page of pages) {
  const name = page.replace(".html", "");

  test(`${name}: every file that it loads exists, within the budget in every language`, (context) => {
    const files = loadedBy(page);
    for (const file of files) assert.ok(existsSync(join(WEB, file)), file);
    assert.ok(files.includes(`js/pages/${name}.js`), "one entry module of the same name");
    const headers = (file) => (/\.(html|svg)$/.test(file) ? DOCUMENT_HEADERS_BYTES : HEADERS_BYTES);
    const transferred = (file) => gzipSync(file.endsWith(".js") ? withoutComments(read(file)) : read(file), { level: 9 }).length + headers(file);
    const texts = files.filter((file) => file.startsWith("locales/"));
    const longest = Math.max(...LANGUAGES.map((language) => texts.reduce((sum, file) => sum + transferred(file.replace("en.json", `${language}.json`)), 0)));
    const bytes = files.filter((file) => !file.startsWith("locales/")).reduce((sum, file) => sum + transferred(file), longest);
    context.diagnostic(`${name}: ${bytes} bytes, of ${files.length} files`);
    assert.ok(bytes < BUDGET_BYTES, `${bytes} bytes`);
  });
}

for (const [path, name] of [...pages.map((page) => [`pages/${page}`, page.replace(".html", "")]), ...Object.entries(MARKUP).map(([file, page]) => [`markup/${file}`, page])]) {
  test(`${path}: it has nothing that the content policy forbids, and no other host`, () => {
    const html = read(path);
    assert.doesNotMatch(html, /\sstyle=|<style|\son\w+=|<script(?![^>]*\ssrc=)|https?:\/\//);
  });

  test(`${path}: its texts in the HTML are the English ones of the locale`, () => {
    const html = read(path);
    const english = textsFor(name);
    for (const [, key, text] of html.matchAll(/data-text="([^"]+)"[^>]*>([^<]*)</g)) assert.equal(text, english[key], key);
    for (const [, key, text] of html.matchAll(/data-name="([^"]+)" aria-label="([^"]+)"/g)) assert.equal(text, english[key], key);
  });
}

test("markup that loads later has texts of its own, and no id of its page", () => {
  assert.deepEqual(readdirSync(join(WEB, "markup")), Object.keys(MARKUP));
  const ids = (html) => [...html.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);
  for (const [file, page] of Object.entries(MARKUP)) {
    assert.ok(FOLDERS.includes(file.replace(".html", "")), "loadMarkup loads the texts of the same name");
    const all = [...ids(read(`markup/${file}`)), ...ids(read(`pages/${page}.html`))];
    assert.equal(new Set(all).size, all.length);
    assert.doesNotMatch(read(`markup/${file}`), /<script|<link|data-needs/);
  }
});

test("removing the comments leaves the code of a module unchanged", () => {
  const options = { removeComments: true, target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022 };
  const bare = (text) => ts.transpile(text, options);
  for (const module of modules) assert.equal(bare(withoutComments(read(`js/${module}`))), bare(read(`js/${module}`)), module);
});

test("every module that is imported later exists", () => {
  for (const module of modules) {
    for (const [, name] of read(`js/${module}`).matchAll(/\bimport\("(\.[^"]+)"\)/g)) {
      assert.ok(existsSync(join(WEB, "js", dirname(module), name)), `${module}: ${name}`);
    }
  }
});

test("every text that a module uses is in the locale", () => {
  for (const module of modules) {
    const english = textsFor(dirname(module) === "pages" ? basename(module, ".js") : dirname(module));
    for (const [, key] of read(`js/${module}`).matchAll(/\bt\("([^"]+)"/g)) assert.ok(key in english, `${module}: ${key}`);
  }
});

const languages = readdirSync(join(WEB, "locales")).filter((name) => name.endsWith(".json")).map((name) => name.replace(".json", ""));
const NAMES = /\{(\w+)\}/g;
const names = (text) => [...new Set([...text.matchAll(NAMES)].map(([, name]) => name))].sort();
// A plural form for one number may write the number as a word: "one minute".
const ONE_NUMBER = new Set(["zero", "one", "two"]);

test("the offered languages are those with a file", () => {
  assert.deepEqual(languages.sort(), [...LANGUAGES].sort());
});

test("no folder repeats a common text", () => {
  for (const folder of FOLDERS) {
    const own = Object.keys(JSON.parse(read(`locales/${folder}/en.json`)));
    assert.deepEqual(own.filter((key) => key in textsFor("")), []);
  }
});

for (const [folder, language] of ["", ...FOLDERS].flatMap((each) => languages.map((tag) => [each && `${each}/`, tag]))) {
  const english = JSON.parse(read(`locales/${folder}en.json`));
  const texts = JSON.parse(read(`locales/${folder}${language}.json`));

  test(`${folder}${language}: it has the same texts as English, and none is empty`, () => {
    assert.deepEqual(Object.keys(texts).filter((key) => !(key in english)), []);
    assert.deepEqual(Object.keys(english).filter((key) => !(key in texts)), []);
    for (const [key, text] of Object.entries(texts)) {
      for (const each of typeof text === "string" ? [text] : Object.values(text)) assert.ok(each.trim(), key);
    }
  });

  test(`${folder}${language}: every plural has a form for each number`, () => {
    const rules = new Intl.PluralRules(language);
    const needed = new Set(Array.from({ length: 1000 }, (_, n) => rules.select(n)));
    for (const [key, text] of Object.entries(texts)) {
      assert.equal(typeof text, typeof english[key], key);
      if (typeof text === "string") continue;
      for (const form of needed) assert.ok(text[form], `${key}: ${form}`);
      for (const form of Object.keys(text)) assert.ok(rules.resolvedOptions().pluralCategories.includes(form), `${key}: ${form}`);
    }
  });

  test(`${folder}${language}: its texts have the same values to fill in as English`, () => {
    for (const [key, text] of Object.entries(texts)) {
      const wanted = names(typeof english[key] === "string" ? english[key] : english[key].other);
      if (typeof text === "string") assert.deepEqual(names(text), wanted, key);
      else {
        for (const [form, each] of Object.entries(text)) {
          const had = names(each);
          if (form === "one" && had.includes("from") && !had.includes("to")) had.push("to"); // one day is its own last one
          if (ONE_NUMBER.has(form) && !had.includes("n")) assert.deepEqual(["n", ...had].sort(), wanted, `${key}: ${form}`);
          else assert.deepEqual(had.sort(), wanted, `${key}: ${form}`);
        }
      }
    }
  });
}

test("fr: a narrow no-break space stands before : ; ? ! and inside of « », and between a figure and its unit", () => {
  for (const [key, text] of ["", ...FOLDERS].flatMap((folder) => Object.entries(textsFor(folder, "fr")))) {
    for (const each of typeof text === "string" ? [text] : Object.values(text)) {
      assert.doesNotMatch(each, /[^\u202f][:;?!»]|«[^\u202f]|\}[ \u00a0](?:min|s)\b/, key);
    }
  }
});

test("no module writes into the console, or parses markup from a text", () => {
  for (const module of modules) assert.doesNotMatch(read(`js/${module}`), /console\.\w+\(|innerHTML|insertAdjacentHTML|document\.write/, module);
});
