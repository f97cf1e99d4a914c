import assert from "node:assert/strict";
import { readFileSync, readdirSync, existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const WEB = resolve(dirname(fileURLToPath(import.meta.url)), "../../web");
const BUDGET_BYTES = 100 * 1024;
const read = (path) => readFileSync(join(WEB, path), "utf8");
const english = JSON.parse(read("locales/en.json"));
const pages = readdirSync(join(WEB, "pages"));
const modules = readdirSync(join(WEB, "js"), { recursive: true }).filter((name) => name.endsWith(".js"));

/** Every file that a page loads before its fonts: styles, modules with what they import, and the strings. */
function loadedBy(page) {
  const html = read(`pages/${page}`);
  const files = new Set([`pages/${page}`, "locales/en.json"]);
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

  test(`${name}: every file it loads is there, within the budget`, () => {
    const files = loadedBy(page);
    for (const file of files) assert.ok(existsSync(join(WEB, file)), file);
    assert.ok(files.includes(`js/pages/${name}.js`), "one entry module of the same name");
    // As they are transferred: text goes out compressed.
    const bytes = files.reduce((sum, file) => sum + gzipSync(read(file)).length, 0);
    assert.ok(bytes < BUDGET_BYTES, `${bytes} bytes`);
  });

  test(`${name}: nothing that the content policy forbids, and no other host`, () => {
    const html = read(`pages/${page}`);
    assert.doesNotMatch(html, /\sstyle=|<style|\son\w+=|<script(?![^>]*\ssrc=)|https?:\/\//);
  });

  test(`${name}: its words in the HTML are the English ones of the locale`, () => {
    const html = read(`pages/${page}`);
    for (const [, key, text] of html.matchAll(/data-text="([^"]+)"[^>]*>([^<]*)</g)) assert.equal(text, english[key], key);
    for (const [, key, text] of html.matchAll(/data-name="([^"]+)" aria-label="([^"]+)"/g)) assert.equal(text, english[key], key);
  });
}

test("every text that a module asks for is in the locale", () => {
  for (const module of modules) {
    for (const [, key] of read(`js/${module}`).matchAll(/\bt\("([^"]+)"/g)) assert.ok(key in english, `${module}: ${key}`);
  }
});

test("every language has the same texts, and every plural its general form", () => {
  for (const file of readdirSync(join(WEB, "locales"))) {
    const texts = JSON.parse(read(`locales/${file}`));
    assert.deepEqual(Object.keys(texts).sort(), Object.keys(english).sort(), file);
    for (const [key, text] of Object.entries(texts)) assert.ok(typeof text === "string" || text.other, `${file}: ${key}`);
  }
});

test("nothing writes into the console, or reads markup from a text", () => {
  for (const module of modules) assert.doesNotMatch(read(`js/${module}`), /console\.\w+\(|innerHTML|insertAdjacentHTML|document\.write/, module);
});
