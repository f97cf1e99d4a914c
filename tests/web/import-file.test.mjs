/** A file of appointments: its encoding, its columns, its dates, and its rows. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { dateIn, decode, guessFormat, guessMapping, partsOf, readRow, readRows, startIn, timeIn } from "../../web/js/admin/import-file.js";

/** @param {...number} bytes */
const bytes = (...bytes) => Uint8Array.from(bytes).buffer;

test("the encoding of a file is found", () => {
  assert.deepEqual(decode(bytes(0x4d, 0xc3, 0xbc)), { text: "Mü", encoding: "utf-8" });
  assert.deepEqual(decode(bytes(0xef, 0xbb, 0xbf, 0x4d)), { text: "M", encoding: "utf-8" });
  assert.deepEqual(decode(bytes(0x4d, 0xfc, 0x2e)), { text: "Mü.", encoding: "windows-1252" });
  assert.deepEqual(decode(bytes(0xff, 0xfe, 0x4d, 0x00)), { text: "M", encoding: "utf-16le" });
  assert.equal(decode(bytes(0xc3, 0xbc), "windows-1252").text, "Ã¼");
});

test("headings in several languages are found", () => {
  assert.deepEqual(guessMapping(["Termin-Nr", "Patient", "Datum", "Uhrzeit", "Leistung", "Arzt", "Telefon"]), {
    foreign_id: 0,
    name: 1,
    date: 2,
    time: 3,
    service: 4,
    provider: 5,
    phone: 6,
  });
  assert.deepEqual(guessMapping(["ID", "Start", "Name", "E-Mail", "Colour"]), { foreign_id: 0, local_start: 1, name: 2, email: 3 });
  assert.deepEqual(guessMapping(["Número", "Médico", "Fecha de nacimiento"]), { foreign_id: 0, provider: 1, date_of_birth: 2 });
});

test("a column has one field, and a date of its own goes before date and time in one", () => {
  assert.deepEqual(guessMapping(["Start", "Date", "Hour"]), { date: 1, time: 2 });
  assert.deepEqual(guessMapping(["id", "id"]), { foreign_id: 0 });
});

test("dates are read in the chosen format alone", () => {
  assert.equal(dateIn("2027-01-15", "ymd"), "2027-01-15");
  assert.equal(dateIn("15.1.2027", "dmy"), "2027-01-15");
  assert.equal(dateIn("01/15/2027", "mdy"), "2027-01-15");
  for (const [text, format] of [["15.13.2027", "dmy"], ["30.2.2027", "dmy"], ["15.01.27", "dmy"], ["2027-01-15", "dmy"], ["", "ymd"]]) {
    assert.equal(dateIn(text, /** @type {any} */ (format)), null, text);
  }
});

test("times of day are read as people write them", () => {
  for (const [text, time] of [["9:00", "09:00"], ["09:00:00", "09:00"], ["9.30", "09:30"], ["14h30", "14:30"], ["2:30 PM", "14:30"], ["12 am", "00:00"], ["12:15 p.m.", "12:15"], ["9", null], ["24:00", null], ["9:60", null], ["13:00 pm", null]]) {
    assert.equal(timeIn(/** @type {string} */ (text)), time, String(text));
  }
});

test("date and time in one are read with any offset left out", () => {
  assert.equal(startIn("2027-01-15T09:00", "ymd"), "2027-01-15T09:00");
  assert.equal(startIn("2027-01-15 09:00:00", "ymd"), "2027-01-15T09:00");
  assert.equal(startIn("15.01.2027, 9:05", "dmy"), "2027-01-15T09:05");
  assert.equal(startIn("2027-01-15T09:00:00+01:00", "ymd"), "2027-01-15T09:00");
  assert.equal(startIn("2027-01-15", "ymd"), null);
});

test("the format in which most dates are dates is guessed", () => {
  assert.equal(guessFormat(["15.01.2027 9:00", "03.02.2027 9:00"]), "dmy");
  assert.equal(guessFormat(["01/15/2027", "02/03/2027"]), "mdy");
  assert.equal(guessFormat(["2027-01-15T09:00"]), "ymd");
});

const MAPPING = { foreign_id: 0, name: 1, date: 2, time: 3, service: "5", phone: 4 };

test("a row becomes what the server takes", () => {
  assert.deepEqual(readRow(["T-1", "  Ada\tLovelace ", "15.01.2027", "9:00", ""], 7, MAPPING, "dmy"), {
    number: 7,
    foreign_id: "T-1",
    service: "5",
    local_start: "2027-01-15T09:00",
    name: "Ada Lovelace",
    minutes: null,
    date_of_birth: null,
    provider: null,
    phone: null,
    email: null,
    language: null,
    note: null,
  });
});

test("a row that cannot be read names its field", () => {
  const of = (/** @type {string[]} */ ...cells) => readRow(cells, 1, MAPPING, "dmy");
  assert.deepEqual(of("", "Ada", "15.01.2027", "9:00"), { number: 1, code: "invalid_field", detail: "foreign_id" });
  assert.deepEqual(of("T-1", "Ada", "15.01.2027", "25:00"), { number: 1, code: "invalid_field", detail: "local_start" });
  assert.deepEqual(of("T-1", "A".repeat(501), "15.01.2027", "9:00"), { number: 1, code: "invalid_field", detail: "name" });
  assert.deepEqual(of("T-1"), { number: 1, code: "invalid_field", detail: "name" });
});

test("a second row with the same id is refused", () => {
  const line = ["T-1", "Ada", "15.01.2027", "9:00"];
  const { rows, refused } = readRows([line, line, [...line].with(0, "T-2")], MAPPING, "dmy");
  assert.deepEqual(rows.map(({ number }) => number), [1, 3]);
  assert.deepEqual(refused, [{ number: 2, code: "invalid_field", detail: "foreign_id" }]);
});

test("rows are sent in parts of a hundred, and of fewer if they are long", () => {
  const row = (/** @type {number} */ number, note = "") => ({ number, foreign_id: "T", service: "5", local_start: "", name: "Ada", note });
  const many = Array.from({ length: 250 }, (_, index) => row(index + 1));
  assert.deepEqual(partsOf(many).map(({ length }) => length), [100, 100, 50]);
  assert.deepEqual(partsOf(many).flat(), many);
  const long = Array.from({ length: 100 }, (_, index) => row(index + 1, "ö".repeat(500)));
  assert.ok(partsOf(long).every((part) => new TextEncoder().encode(JSON.stringify(part)).length < 45_000));
  assert.deepEqual(partsOf(long).flat(), long);
  assert.deepEqual(partsOf([]), []);
});
