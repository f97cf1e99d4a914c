/** The section that takes over appointments of another system from a file. The file is read in the browser. */

import { errorMessage } from "../desk/error-messages.js";
import { CommandFailed, sendChange } from "../shared/commands.js";
import { element, setText } from "../shared/dom.js";
import { formatNumber, hasText, t } from "../shared/i18n.js";
import { timeOf } from "../shared/local-time.js";
import { csvOf, download } from "./csv.js";
import { choice, labelledField } from "./form-dialog.js";
import { DATE_FORMATS, FIELDS, decode, guessFormat, guessMapping, partsOf, readRow, readRows } from "./import-file.js";
import { choicesOf } from "./schedule-dialog.js";
import { shortDay } from "./schedule-texts.js";

/**
 * @typedef {import("./context.js").Context} Context
 * @typedef {import("./import-file.js").Field} Field
 * @typedef {import("./import-file.js").Mapping} Mapping
 * @typedef {import("./import-file.js").RefusedRow} RefusedRow
 * @typedef {{name: string, bytes: ArrayBuffer, headings: string[], lines: string[][], encoding: string, separator: string}} File
 */

const SHOWN = 5;
const OUTCOMES = /** @type {const} */ (["booked", "moved", "amended", "unchanged", "refused"]);
const NEEDED = new Set(["foreign_id", "name", "service"]);

/**
 * @param {HTMLElement} root
 * @param {Context} context
 */
export function open(root, context) {
  const input = element("input", { type: "file", accept: ".csv,.txt,.tsv,text/csv,text/plain" });
  const error = element("p", { className: "field-error", role: "alert" });
  const choose = labelledField(t("admin.import.file"), input, t("admin.import.file.hint"));
  choose.classList.add("import-file");
  const work = element("div", { className: "import-work" });
  input.addEventListener("change", async () => {
    const [file] = input.files ?? [];
    if (file === undefined) return;
    setText(error, "");
    work.replaceChildren();
    try {
      const bytes = await file.arrayBuffer();
      await show(file.name, bytes);
    } catch {
      setText(error, t("admin.import.error.file"));
    }
  });
  const show = async (/** @type {string} */ name, /** @type {ArrayBuffer} */ bytes, /** @type {{encoding?: string, separator?: string}} */ wanted = {}) => {
    const file = await parse(name, bytes, wanted);
    if (file.lines.length === 0) setText(error, t("admin.import.error.empty"));
    else work.replaceChildren(...fileParts(context, file, (again) => void show(name, bytes, again)));
  };
  choose.append(error);
  root.append(element("section", { className: "group", "aria-label": t("admin.import.file") }, choose), work);
}

/**
 * Return the rows of a file. The first row has the headings.
 *
 * @param {string} name
 * @param {ArrayBuffer} bytes
 * @param {{encoding?: string, separator?: string}} wanted
 * @returns {Promise<File>}
 */
async function parse(name, bytes, wanted) {
  const { text, encoding } = decode(bytes, wanted.encoding);
  const papa = await library();
  const { data, meta } = papa.parse(text, { delimiter: wanted.separator ?? "", skipEmptyLines: "greedy" });
  const [headings = [], ...lines] = /** @type {string[][]} */ (data);
  return { name, bytes, headings: headings.map((each) => each.trim()), lines, encoding, separator: meta.delimiter };
}

/** @type {Promise<any> | undefined} */
let loading;

/** Load the library that reads CSV, once. It is no module. */
function library() {
  loading ??= new Promise((resolve, reject) => {
    const script = element("script", { src: new URL("../../vendor/papaparse/papaparse.min.js", import.meta.url).href });
    script.addEventListener("load", () => resolve(Reflect.get(globalThis, "Papa")));
    script.addEventListener("error", reject);
    document.head.append(script);
  });
  return loading;
}

/**
 * Return the parts of the page that a file has: its columns, its first rows, and the import.
 *
 * @param {Context} context
 * @param {File} file
 * @param {(wanted: {encoding?: string, separator?: string}) => void} again  read the file in another way
 */
function fileParts(context, file, again) {
  /** @type {Mapping} */
  const mapping = guessMapping(file.headings);
  if (mapping.service === undefined) mapping.service = String(choicesOf(context, "service")[0]?.[0] ?? "");
  const sample = (/** @type {Field} */ field) => file.lines.slice(0, 200).map((cells) => cells[Number(mapping[field])] ?? "");
  const format = choice(DATE_FORMATS.map((each) => [each, t(`admin.import.format.${each}`)]), guessFormat(sample(mapping.date === undefined ? "local_start" : "date")));
  const preview = element("div", { className: "table-room", tabIndex: 0, role: "group", "aria-label": t("admin.import.preview") });
  const note = element("p", { className: "group-lead", role: "status" });
  const encoding = choice([["utf-8", "UTF-8"], ["windows-1252", "Windows-1252"], ["utf-16le", "UTF-16"]], file.encoding);
  const separator = choice([[",", t("admin.import.comma")], [";", t("admin.import.semicolon")], ["\t", t("admin.import.tab")], ["|", "|"]], file.separator);
  for (const each of [encoding, separator]) each.addEventListener("change", () => again({ encoding: encoding.value, separator: separator.value }));
  const runner = runnerOf(context, file, () => readRows(file.lines, mapping, dateFormat()));
  const dateFormat = () => /** @type {import("./import-file.js").DateFormat} */ (format.value);
  const columns = FIELDS.map((field) => columnField(context, file, mapping, field, () => paint()));
  const paint = () => {
    const missing = missingIn(mapping);
    const read = file.lines.slice(0, SHOWN).map((cells, index) => readRow(cells, index + 1, mapping, dateFormat()));
    preview.replaceChildren(previewTable(read));
    setText(note, missing.length === 0 ? "" : t("admin.import.missing", { fields: missing.map((field) => t(`admin.import.field.${field}`)).join(t("admin.list.separator")) }));
    runner.ready(missing.length === 0);
  };
  format.addEventListener("change", paint);
  paint();
  const size = t("admin.import.size", { n: file.lines.length, name: file.name });
  const heading = (/** @type {string} */ text, /** @type {string} */ lead, /** @type {Node[]} */ ...parts) =>
    element("section", { className: "group", "aria-label": text }, element("h2", {}, text), ...(lead ? [element("p", { className: "group-lead" }, lead)] : []), ...parts);
  return [
    heading(
      t("admin.import.columns"),
      size,
      element("div", { className: "group-fields" }, labelledField(t("admin.import.separator"), separator), labelledField(t("admin.import.encoding"), encoding), labelledField(t("admin.import.format"), format)),
      element("div", { className: "group-fields import-columns" }, ...columns),
    ),
    heading(t("admin.import.preview"), t("admin.import.preview.lead"), note, preview),
    runner.element,
  ];
}

/** Return the fields without which no row can be imported. @param {Mapping} mapping @returns {string[]} */
function missingIn(mapping) {
  const missing = [...NEEDED].filter((field) => mapping[/** @type {Field} */ (field)] === undefined || mapping[/** @type {Field} */ (field)] === "");
  const timed = mapping.local_start !== undefined || (mapping.date !== undefined && mapping.time !== undefined);
  return timed ? missing : [...missing, "local_start"];
}

/**
 * Return the choice of the column of a field. Service and clinician may also be the same for all rows.
 *
 * @param {Context} context
 * @param {File} file
 * @param {Mapping} mapping
 * @param {Field} field
 * @param {() => void} paint
 */
function columnField(context, file, mapping, field, paint) {
  const fixed = field === "service" || field === "provider" ? choicesOf(context, field) : [];
  const select = choice(
    [
      ["", t(field === "provider" ? "admin.import.any_provider" : "admin.import.no_column")],
      ...file.headings.map((heading, index) => /** @type {const} */ ([`column/${index}`, heading || t("admin.import.column", { n: index + 1 })])),
      ...fixed.map(([id, name]) => /** @type {const} */ ([`all/${id}`, t("admin.import.all_rows", { name })])),
    ],
    "",
  );
  const place = mapping[field];
  select.value = place === undefined ? "" : typeof place === "number" ? `column/${place}` : `all/${place}`;
  const box = labelledField(t(`admin.import.field.${field}`), select);
  const sample = element("p", { className: "field-hint" });
  const show = () => {
    const column = mapping[field];
    setText(sample, typeof column === "number" ? file.lines.slice(0, 2).map((cells) => cells[column] ?? "").filter(Boolean).join(" · ") : "");
  };
  select.addEventListener("change", () => {
    const [kind, value = ""] = select.value.split("/");
    if (kind === "column") mapping[field] = Number(value);
    else if (kind === "all") mapping[field] = value;
    else delete mapping[field];
    show();
    paint();
  });
  show();
  box.append(sample);
  return box;
}

/** @param {ReturnType<typeof readRow>[]} rows */
function previewTable(rows) {
  const shown = /** @type {const} */ (["local_start", "name", "service", "provider", "phone", "foreign_id"]);
  const cell = (/** @type {any} */ row, /** @type {string} */ field) => (field === "local_start" ? `${shortDay(row.local_start.slice(0, 10))}, ${timeOf(row.local_start)}` : (row[field] ?? "–"));
  return element(
    "table",
    { className: "table" },
    element("thead", {}, element("tr", {}, ...shown.map((field) => element("th", { scope: "col" }, t(field === "local_start" ? "admin.import.when" : `admin.import.field.${field}`))))),
    element(
      "tbody",
      {},
      ...rows.map((row) =>
        "code" in row
          ? element("tr", { className: "is-refused" }, element("td", { colSpan: shown.length }, reasonOf(/** @type {RefusedRow} */ (row))))
          : element("tr", {}, ...shown.map((field) => element("td", {}, String(cell(row, field))))),
      ),
    ),
  );
}

/** Return why a row was refused, in words. @param {RefusedRow} refused */
export function reasonOf({ code, detail }) {
  for (const key of [`admin.import.reason.${code}.${detail}`, `admin.import.reason.${code}`]) {
    if (hasText(key)) return t(key, { field: hasText(`admin.import.field.${detail}`) ? t(`admin.import.field.${detail}`) : detail });
  }
  return errorMessage(new CommandFailed(code, code));
}

/**
 * Return the part that sends the rows, with its progress and its outcome.
 *
 * @param {Context} context
 * @param {File} file
 * @param {() => {rows: import("./import-file.js").ImportRow[], refused: RefusedRow[]}} read
 */
function runnerOf(context, file, read) {
  const anyway = element("input", { type: "checkbox" });
  const start = element("button", { className: "button is-primary", type: "button" }, t("admin.import.start", { n: file.lines.length }));
  const stop = element("button", { className: "button", type: "button", hidden: true }, t("admin.import.stop"));
  const bar = element("progress", { max: 1, value: 0, hidden: true, "aria-label": t("admin.import.progress") });
  const said = element("p", { className: "import-said", role: "status" });
  const counts = element("dl", { className: "import-counts", hidden: true });
  const errors = element("button", { className: "button", type: "button", hidden: true }, t("admin.import.errors"));
  const numbers = OUTCOMES.map((outcome) => {
    const number = element("dd", {}, "0");
    counts.append(element("div", { className: `is-${outcome}` }, element("dt", {}, t(`admin.import.${outcome}`)), number));
    return number;
  });
  /** @type {RefusedRow[]} */
  let refused = [];
  let stopped = false;
  stop.addEventListener("click", () => (stopped = true));
  context.signal.addEventListener("abort", () => (stopped = true));
  errors.addEventListener("click", () => {
    const lines = refused.sort((one, other) => one.number - other.number).map((each) => [...(file.lines[each.number - 1] ?? []), each.number + 1, reasonOf(each)]);
    download(t("admin.import.errors.file"), csvOf([[...file.headings, t("admin.import.line"), t("admin.import.reason")], ...lines]));
  });
  const run = async () => {
    const { rows, refused: unread } = read();
    const total = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0]));
    const began = performance.now();
    let sent = 0;
    stopped = false;
    refused = [...unread];
    const show = () => {
      total.refused = refused.length;
      OUTCOMES.forEach((outcome, index) => setText(/** @type {Element} */ (numbers[index]), formatNumber(total[outcome] ?? 0)));
      bar.value = rows.length === 0 ? 1 : sent / rows.length;
    };
    for (const part of partsOf(rows)) {
      if (stopped) break;
      const done = await context.watched(sendChange(`/api/v1/sites/${context.site.id}/appointments/import`, { rows: part, anyway: anyway.checked }));
      for (const outcome of OUTCOMES) if (outcome !== "refused") total[outcome] += done[outcome].length;
      refused.push(...done.refused);
      sent += part.length;
      show();
    }
    show();
    const seconds = formatNumber(Math.round((performance.now() - began) / 100) / 10);
    setText(said, stopped ? t("admin.import.stopped", { n: sent }) : t("admin.import.done", { n: sent + unread.length, seconds }));
  };
  start.addEventListener("click", async () => {
    for (const [each, hidden] of /** @type {const} */ ([[start, true], [stop, false], [bar, false], [counts, false], [errors, true]])) each.hidden = hidden;
    anyway.disabled = true;
    setText(said, t("admin.import.running"));
    stop.focus();
    try {
      await run();
    } catch (error) {
      setText(said, t("admin.import.broken", { error: errorMessage(error) }));
    }
    start.hidden = false;
    stop.hidden = true;
    errors.hidden = refused.length === 0;
    anyway.disabled = false;
    setText(start, t("admin.import.again"));
    start.focus();
  });
  const section = element(
    "section",
    { className: "group", "aria-label": t("admin.import.run") },
    element("h2", {}, t("admin.import.run")),
    element("p", { className: "group-lead" }, t("admin.import.run.lead")),
    element("div", { className: "field" }, element("label", { className: "check" }, anyway, element("span", {}, t("admin.import.anyway"))), element("p", { className: "field-hint" }, t("admin.import.anyway.hint"))),
    element("div", { className: "button-row" }, start, stop, errors),
    bar,
    said,
    counts,
  );
  return { element: section, ready: (/** @type {boolean} */ ready) => (start.disabled = !ready) };
}
