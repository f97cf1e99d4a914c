/**
 * Names made comparable, in the same way as `server/domain/model/folding.py`. One list of cases,
 * `tests/support/search_cases.json`, tests both.
 */

/** Signs inside a word that are no letters: apostrophes in all forms, full stops, the Arabic tatweel, joiners. */
const INSIDE = /['`.\u00b4\u2018\u2019\u201b\u02b9\u02bb-\u02bf\u2032\u0640\u200c\u200d\uff07]/g;
/** The marks of Latin, Greek, Cyrillic, Hebrew and Arabic letters. Marks of other scripts are vowels and stay. */
const MARKS = /[\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff]/g;
const SEPARATORS = /[^\p{L}\p{N}\p{M}]+/gu;
/** Letters that do not decompose into a plain letter and a mark, and letters that people write for one another. */
const PLAIN = new Map([
  ...Object.entries({ ß: "ss", ς: "σ", ø: "o", ł: "l", đ: "d", ð: "d", þ: "th", æ: "ae", œ: "oe", ħ: "h", ŧ: "t", "\u0131": "i" }),
  ...Object.entries({ "\u0671": "\u0627", "\u0649": "\u064a", "\u06cc": "\u064a", "\u0629": "\u0647", "\u06a9": "\u0643" }),
  ...[..."٠١٢٣٤٥٦٧٨٩", ..."۰۱۲۳۴۵۶۷۸۹"].map((each, index) => /** @type {[string, string]} */ ([each, String(index % 10)])),
]);

/**
 * Return the words of a text for comparison: without case, accents or punctuation. A hyphen separates words, an apostrophe
 * does not.
 *
 * @param {string} text
 * @returns {string[]}
 */
export function wordsOf(text) {
  const decomposed = text.replace(INSIDE, "").normalize("NFKD").toLowerCase().normalize("NFKD").replace(INSIDE, "");
  const bare = decomposed.replace(/\u0345/g, "ι").replace(MARKS, "");
  const plain = [...bare].map((each) => PLAIN.get(each) ?? each).join("");
  return plain.split(SEPARATORS).filter(Boolean);
}
