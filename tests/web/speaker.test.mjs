import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Speaker, fillCall } from "../../web/js/display/speaker.js";

globalThis.fetch = async (url) => new Response(readFileSync(new URL(url)));
globalThis.document = { documentElement: {}, querySelectorAll: () => [] };

/** A sound that records what it plays. */
class Ear {
  heard = [];
  ready = true;
  async ring() {
    this.heard.push("ring");
  }
  async play(file) {
    this.heard.push(new TextDecoder().decode(file));
    return true;
  }
}

const call = (entry, language = "en") => ({ entry, label: `A00${entry}`, point: "Room 3", language });
const says = async (found, language) => new TextEncoder().encode(`${found?.label ?? "test"} ${language}`).buffer;
const settled = async (speaker) => {
  while (speaker.busy) await new Promise((resolve) => setTimeout(resolve, 5));
};

function aSpeaker({ ask = says, isOpen = () => true, recallPauseMs = 0 } = {}) {
  const ear = new Ear();
  const speaker = new Speaker(ear, { ask, isOpen, recallPauseMs });
  return { ear, speaker };
}

test("calls are announced one after the other, with a chime before each", async () => {
  const { ear, speaker } = aSpeaker();
  speaker.say([call(1), call(2)]);
  speaker.say([call(3)]);
  await settled(speaker);
  assert.deepEqual(ear.heard, ["ring", "A001 en", "ring", "A002 en", "ring", "A003 en"]);
});

test("a call is announced in the site's language first, then in the patient's", async () => {
  const { ear, speaker } = aSpeaker();
  speaker.language = "fr-CA";
  speaker.say([call(1, "ar"), call(2, "fr"), call(3, "tlh")]);
  await settled(speaker);
  assert.deepEqual(ear.heard, ["ring", "A001 fr", "A001 ar", "ring", "A002 fr", "ring", "A003 fr"]);
});

test("a call that has ended before its turn is not announced", async () => {
  const open = new Set([1, 2]);
  const { ear, speaker } = aSpeaker({ isOpen: ({ entry }) => open.has(entry) });
  speaker.say([call(1), call(2), call(3)]);
  open.delete(2);
  await settled(speaker);
  assert.deepEqual(ear.heard, ["ring", "A001 en"]);
});

test("calls without sound are dropped", async () => {
  const { ear, speaker } = aSpeaker();
  ear.ready = false;
  speaker.say([call(1)]);
  await settled(speaker);
  ear.ready = true;
  speaker.say([call(2)]);
  await settled(speaker);
  assert.deepEqual(ear.heard, ["ring", "A002 en"]);
});

test("many recalls of one ticket are spoken twice at most, and another room's call goes first", async () => {
  const { ear, speaker } = aSpeaker({ recallPauseMs: 60 });
  for (let recall = 0; recall < 10; recall += 1) speaker.say([call(1)]);
  speaker.say([call(2)]);
  const began = performance.now();
  await settled(speaker);
  assert.deepEqual(ear.heard, ["ring", "A001 en", "ring", "A002 en", "ring", "A001 en"]);
  assert.ok(performance.now() - began >= 60, "a pause separates the recalls");
});

test("a recall replaces the waiting call of its entry and keeps the place", async () => {
  const { ear, speaker } = aSpeaker();
  speaker.say([call(1), call(2), call(3)]);
  speaker.say([{ ...call(2), label: "A002 again" }]);
  await settled(speaker);
  assert.deepEqual(ear.heard, ["ring", "A001 en", "ring", "A002 again en", "ring", "A003 en"]);
});

test("a call to another point does not wait", async () => {
  const { ear, speaker } = aSpeaker({ recallPauseMs: 60_000 });
  speaker.say([call(1)]);
  await settled(speaker);
  speaker.say([{ ...call(1), point: "Room 4" }]);
  await settled(speaker);
  assert.deepEqual(ear.heard, ["ring", "A001 en", "ring", "A001 en"]);
});

test("without a voice there is only the chime", async () => {
  for (const ask of [async () => null, async () => Promise.reject(new TypeError("no network"))]) {
    const { ear, speaker } = aSpeaker({ ask });
    speaker.say([call(1), call(2)]);
    await settled(speaker);
    assert.deepEqual(ear.heard, ["ring", "ring"]);
  }
});

test("the browser speaks if the server has no voice", async () => {
  const spoken = [];
  globalThis.SpeechSynthesisUtterance = class {
    constructor(text) {
      this.text = text;
    }
  };
  globalThis.speechSynthesis = {
    getVoices: () => [{ lang: "es-ES" }],
    speak: (words) => (spoken.push([words.text, words.lang]), words.onend()),
    cancel: () => {},
  };
  try {
    const { speaker } = aSpeaker({ ask: async () => null });
    speaker.language = "es";
    speaker.say([call(1, "ar")]);
    await settled(speaker);
    assert.deepEqual(spoken, [["Número A 0 0 1, pase a Room 3, por favor.", "es-ES"]], "it has no Arabic voice");
  } finally {
    delete globalThis.speechSynthesis;
  }
});

test("a point's name is spoken in each language of an announcement", async () => {
  const spoken = [];
  globalThis.SpeechSynthesisUtterance = class {
    constructor(text) {
      this.text = text;
    }
  };
  globalThis.speechSynthesis = {
    getVoices: () => [{ lang: "es_US" }, { lang: "fr-FR" }],
    speak: (words) => (spoken.push(words.text), words.onend()),
    cancel: () => {},
  };
  try {
    const { speaker } = aSpeaker({ ask: async () => null });
    speaker.language = "fr";
    const names = { fr: "Salle 3", "es-419": "Consultorio 3" };
    speaker.say([{ ...call(1, "es-419"), names }, { ...call(2, "es-ES"), names }]);
    await settled(speaker);
    assert.deepEqual(spoken.map((text) => /Salle 3|Consultorio 3|Room 3/.exec(text)?.[0]), ["Salle 3", "Consultorio 3", "Salle 3", "Room 3"]);
  } finally {
    delete globalThis.speechSynthesis;
  }
});

test("a test plays the chime and a sentence, and calls wait for its end", async () => {
  const { ear, speaker } = aSpeaker();
  const tested = speaker.test();
  speaker.say([call(1)]);
  await tested;
  await settled(speaker);
  assert.deepEqual(ear.heard, ["ring", "test en", "ring", "A001 en"]);
});

test("a ticket is spelled out, and the name of a point is inserted as it is", () => {
  const texts = { "speech.call": "{label} to {point}", "speech.letters": "eigh, B, C" };
  assert.equal(fillCall(texts, { label: "A012", point: "$& {label}" }), "eigh 0 1 2 to $& {label}");
  assert.equal(fillCall({ "speech.call": "{label}" }, { label: "B7", point: "" }), "B 7", "without names, letters stay");
});

test("every language has a name for each letter, and no two are the same", () => {
  const names = Object.fromEntries(
    ["en", "es", "fr", "ar"].map((language) => {
      const file = new URL(`../../web/locales/${language}.json`, import.meta.url);
      return [language, JSON.parse(readFileSync(file, "utf8"))];
    }),
  );
  for (const texts of Object.values(names)) assert.equal(new Set(texts["speech.letters"].split(", ")).size, 26);
  const spoken = Object.entries(names).map(([language, texts]) => [language, fillCall(texts, { label: "A047", point: "Room 3" })]);
  assert.deepEqual(Object.fromEntries(spoken), {
    en: "Ticket eigh 0 4 7, please go to Room 3.",
    es: "Número A 0 4 7, pase a Room 3, por favor.",
    fr: "Ticket A 0 4 7, merci d’aller à Room 3.",
    ar: "الرقم أَيْ 0 4 7، تفضّل إلى Room 3.",
  });
});
