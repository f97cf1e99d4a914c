/**
 * A file of appointments of another system: its encoding, its columns, and its rows as the server takes them. No function
 * here touches the page.
 */

/**
 * @typedef {"foreign_id" | "service" | "provider" | "local_start" | "date" | "time" | "minutes" | "name" | "phone" | "email" |
 *   "date_of_birth" | "language" | "note"} Field
 * @typedef {"ymd" | "dmy" | "mdy"} DateFormat
 * @typedef {Partial<Record<Field, number | string>>} Mapping  the column of a field, or a text for all rows
 * @typedef {{number: number, foreign_id: string, service: string, local_start: string, name: string,
 *   [field: string]: string | number | null}} ImportRow
 * @typedef {{number: number, code: string, detail: string}} RefusedRow
 */

/** The fields in the order of the page. @type {readonly Field[]} */
export const FIELDS = ["foreign_id", "name", "local_start", "date", "time", "service", "provider", "minutes", "phone", "email", "date_of_birth", "language", "note"];
/** @type {readonly DateFormat[]} */
export const DATE_FORMATS = ["ymd", "dmy", "mdy"];
const LONGEST = 500;

/** The usual headings of each field, without accents and spaces. @type {Record<Field, string>} */
const HEADINGS = {
  foreign_id: "id appointmentid foreignid externalid terminid terminnr reference ref numero idcita idrdv numerordv reserva booking bookingid رقم المعرف",
  name: "name patient patientname fullname nombre paciente nom nompatient patientenname الاسم المريض",
  local_start: "start localstart starttime begin datetime startdatetime beginn termin inicio fechahora debut dateheure البداية",
  date: "date day datum tag fecha jour startdate appointmentdate التاريخ",
  time: "time uhrzeit zeit hora heure hour starttime appointmenttime الوقت",
  service: "service type appointmenttype reason leistung terminart servicio prestacion motivo prestation motif الخدمة",
  provider: "provider doctor clinician practitioner arzt behandler medico profesional medecin praticien soignant الطبيب",
  minutes: "minutes duration length dauer minuten duracion minutos duree الدقائق المدة",
  phone: "phone telephone mobile phonenumber telefon handy telefono movil portable الهاتف",
  email: "email mail emailaddress correo courriel البريد",
  date_of_birth: "dateofbirth dob birthdate birthday born geburtsdatum geboren nacimiento fechanacimiento fechadenacimiento naissance datenaissance datedenaissance الميلاد تاريخالميلاد",
  language: "language lang sprache idioma langue اللغة",
  note: "note notes comment remark bemerkung notiz nota notas comentario remarque commentaire ملاحظة",
};

/**
 * Return the text of a file and its encoding: UTF-8 if it is that, else Windows-1252.
 *
 * @param {ArrayBuffer} bytes
 * @param {string} [encoding]  to take in place of the found one
 * @returns {{text: string, encoding: string}}
 */
export function decode(bytes, encoding) {
  if (encoding !== undefined) return { text: new TextDecoder(encoding).decode(bytes), encoding };
  const [one, two] = new Uint8Array(bytes.slice(0, 2));
  if ((one === 0xff && two === 0xfe) || (one === 0xfe && two === 0xff)) return decode(bytes, one === 0xff ? "utf-16le" : "utf-16be");
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes), encoding: "utf-8" };
  } catch {
    return decode(bytes, "windows-1252");
  }
}

/** @param {string} heading */
const plain = (heading) => heading.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");

/**
 * Return the column that each field probably has. No column has two fields.
 *
 * @param {readonly string[]} headings
 * @returns {Mapping}
 */
export function guessMapping(headings) {
  const known = headings.map(plain);
  const taken = new Set();
  /** @type {Mapping} */
  const mapping = {};
  for (const field of FIELDS) {
    const names = HEADINGS[field].split(" ");
    const column = known.findIndex((heading, index) => names.includes(heading) && !taken.has(index));
    if (column < 0) continue;
    mapping[field] = column;
    taken.add(column);
  }
  if (mapping.date !== undefined) delete mapping.local_start;
  return mapping;
}

/**
 * Return a date as YYYY-MM-DD, or null if the text is none in this format. The separators may be any.
 *
 * @param {string} text
 * @param {DateFormat} format
 */
export function dateIn(text, format) {
  const found = /^(\d{1,4})[./\-\s](\d{1,2})[./\-\s](\d{1,4})$/.exec(text.trim());
  if (found === null) return null;
  const [, one = "", two = "", three = ""] = found;
  const [year, month, day] = { ymd: [one, two, three], dmy: [three, two, one], mdy: [three, one, two] }[format];
  if (year === undefined || month === undefined || day === undefined || year.length !== 4 || day.length > 2) return null;
  const date = `${year}-${month.padStart(2, "0")}-${day.padStart(2, "0")}`;
  const known = new Date(`${date}T00:00Z`);
  return Number.isNaN(known.getTime()) || known.toISOString().slice(0, 10) !== date ? null : date;
}

/**
 * Return a time of day as HH:MM, or null: "9:00", "09:00:00", "9.30", "2:30 PM", "14h30".
 *
 * @param {string} text
 */
export function timeIn(text) {
  const found = /^(\d{1,2})(?:[:.h](\d{2}))?(?:[:.]\d{2}(?:\.\d+)?)?\s*(?:([ap])\.?\s?m\.?)?$/i.exec(text.trim());
  if (found === null || (found[2] === undefined && found[3] === undefined)) return null;
  let hours = Number(found[1]);
  if (found[3] !== undefined) {
    if (hours < 1 || hours > 12) return null;
    hours = (hours % 12) + (found[3].toLowerCase() === "p" ? 12 : 0);
  }
  const minutes = Number(found[2] ?? 0);
  return hours > 23 || minutes > 59 ? null : `${String(hours).padStart(2, "0")}:${String(minutes).padStart(2, "0")}`;
}

/**
 * Return a local time as YYYY-MM-DDTHH:MM, or null for another text.
 *
 * @param {string} text  date and time in one
 * @param {DateFormat} format
 */
export function startIn(text, format) {
  const found = /^(\S+?)(?:T|,?\s+)(.+)$/.exec(text.trim().replace(/(Z|[+-]\d\d:?\d\d)$/, ""));
  const date = found === null ? null : dateIn(found[1] ?? "", format);
  const time = found === null ? null : timeIn(found[2] ?? "");
  return date === null || time === null ? null : `${date}T${time}`;
}

/**
 * Return the format in which most of these dates are dates.
 *
 * @param {readonly string[]} texts  dates, or dates with times
 * @returns {DateFormat}
 */
export function guessFormat(texts) {
  const fits = (/** @type {DateFormat} */ format) => texts.filter((text) => dateIn(text.trim().split(/[T\s,]/)[0] ?? "", format) !== null).length;
  return DATE_FORMATS.reduce((best, format) => (fits(format) > fits(best) ? format : best));
}

/**
 * Return one row as the server takes it, or why it cannot be read.
 *
 * @param {readonly string[]} cells
 * @param {number} number
 * @param {Mapping} mapping
 * @param {DateFormat} format
 * @returns {ImportRow | RefusedRow}
 */
export function readRow(cells, number, mapping, format) {
  const value = (/** @type {Field} */ field) => {
    const place = mapping[field];
    const text = typeof place === "number" ? (cells[place] ?? "") : (place ?? "");
    return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
  };
  const wrong = (/** @type {Field} */ detail) => ({ number, code: "invalid_field", detail });
  for (const field of FIELDS) if (value(field).length > LONGEST) return wrong(field);
  for (const field of /** @type {const} */ (["foreign_id", "name", "service"])) if (value(field) === "") return wrong(field);
  const date = dateIn(value("date"), format);
  const time = timeIn(value("time"));
  const local_start = mapping.date === undefined ? startIn(value("local_start"), format) : date === null || time === null ? null : `${date}T${time}`;
  if (local_start === null) return wrong("local_start");
  const born = value("date_of_birth") === "" ? null : dateIn(value("date_of_birth"), format);
  if (born === null && value("date_of_birth") !== "") return wrong("date_of_birth");
  const minutes = value("minutes");
  if (minutes !== "" && !/^\d{1,4}$/.test(minutes)) return wrong("minutes");
  const optional = /** @type {const} */ (["provider", "phone", "email", "language", "note"]);
  return {
    number,
    foreign_id: value("foreign_id"),
    service: value("service"),
    local_start,
    name: value("name"),
    minutes: minutes === "" ? null : Number(minutes),
    date_of_birth: born,
    ...Object.fromEntries(optional.map((field) => [field, value(field) || null])),
  };
}

/**
 * Return all rows of a file: those to send, and those that cannot be read. An id that an earlier row has is refused.
 *
 * @param {readonly (readonly string[])[]} lines
 * @param {Mapping} mapping
 * @param {DateFormat} format
 * @returns {{rows: ImportRow[], refused: RefusedRow[]}}
 */
export function readRows(lines, mapping, format) {
  /** @type {ImportRow[]} */
  const rows = [];
  /** @type {RefusedRow[]} */
  const refused = [];
  const ids = new Set();
  lines.forEach((cells, index) => {
    const row = readRow(cells, index + 1, mapping, format);
    if ("code" in row) refused.push(/** @type {RefusedRow} */ (row));
    else if (ids.has(row.foreign_id)) refused.push({ number: row.number, code: "invalid_field", detail: "foreign_id" });
    else {
      ids.add(row.foreign_id);
      rows.push(row);
    }
  });
  return { rows, refused };
}

/**
 * Return rows in parts that the server takes: at most `most` rows, and no more bytes than a body may have.
 *
 * @param {readonly ImportRow[]} rows
 * @param {number} [most]
 * @param {number} [bytes]
 */
export function partsOf(rows, most = 100, bytes = 40_000) {
  const parts = [];
  /** @type {ImportRow[]} */
  let part = [];
  let size = 0;
  const encoder = new TextEncoder();
  for (const row of rows) {
    const length = encoder.encode(JSON.stringify(row)).length;
    if (part.length === most || (part.length > 0 && size + length > bytes)) {
      parts.push(part);
      part = [];
      size = 0;
    }
    part.push(row);
    size += length;
  }
  return part.length > 0 ? [...parts, part] : parts;
}
