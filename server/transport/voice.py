"""The voice of announcements: espeak-ng, where it is installed. It turns texts into WAV files without blocking the loop.

The sentences come from ``web/locales`` (``speech.``): the browser of a display uses the same.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import OrderedDict
from pathlib import Path
from string import ascii_uppercase

import orjson
import structlog

logger = structlog.get_logger(__name__)

PROGRAM = "espeak-ng"
VOICES = {"en": "en-gb", "es": "es", "fr": "fr", "ar": "ar"}
WORDS_A_MINUTE = 140
RENDER_SECONDS = 10.0
AT_ONCE = 1  # announcements may use one core and no more
KEPT_BYTES = 16 * 1024 * 1024
LONGEST = 200


class Voice:
    """Speaks texts. It keeps sounds up to `KEPT_BYTES`. Concurrent requests for one text share one rendering."""

    def __init__(self, web: Path, program: str | None = None) -> None:
        self._program = program if program is not None else shutil.which(PROGRAM)
        self._locales = web / "locales"
        self._words: dict[str, dict[str, str]] = {}
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._kept_bytes = 0
        self._coming: dict[tuple[str, str], asyncio.Task[bytes | None]] = {}
        self._turn = asyncio.Semaphore(AT_ONCE)

    def speaks(self, language: str) -> bool:
        """Return whether this server has a voice for a language."""
        return bool(self._program) and language in VOICES

    def words(self, language: str, key: str, **values: str) -> str:
        """Return a sentence of ``web/locales`` with its placeholders filled in."""
        if language not in self._words:
            texts = orjson.loads((self._locales / f"{language}.json").read_bytes())
            self._words[language] = {key: text for key, text in texts.items() if key.startswith("speech.")}
        sentence = self._words[language][key]
        for name, value in values.items():
            sentence = sentence.replace(f"{{{name}}}", value)
        return sentence

    def spelled(self, language: str, label: str) -> str:
        """Return a label as names of letters and single digits: "A012" as "eigh 0 1 2" in English."""
        names = dict(zip(ascii_uppercase, self.words(language, "speech.letters").split(", "), strict=True))
        return " ".join(names.get(each, each) for each in label)

    async def say(self, language: str, text: str) -> bytes | None:
        """Return a text as a WAV file, or None if this server cannot speak it."""
        if not self.speaks(language):
            return None
        key = (language, text[:LONGEST])
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        task = self._coming.get(key)
        if task is None:
            task = self._coming[key] = asyncio.create_task(self._render(*key))
            task.add_done_callback(lambda _: self._coming.pop(key, None))
        return await asyncio.shield(task)  # a cancelled request does not cancel the rendering for the others

    async def _render(self, language: str, text: str) -> bytes | None:
        async with self._turn:
            sound = await self._run(VOICES[language], text)
        if sound is not None:
            self._kept[language, text] = sound
            self._kept_bytes += len(sound)
            while self._kept_bytes > KEPT_BYTES:
                _, oldest = self._kept.popitem(last=False)
                self._kept_bytes -= len(oldest)
        return sound

    async def _run(self, voice: str, text: str) -> bytes | None:
        assert self._program is not None
        try:
            process = await asyncio.create_subprocess_exec(
                self._program,
                *("-v", voice, "-s", str(WORDS_A_MINUTE), "-b", "1", "--stdin", "--stdout"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as error:
            logger.warning("announcements are not spoken", error=repr(error))
            self._program = None
            return None
        try:
            async with asyncio.timeout(RENDER_SECONDS):
                sound, _ = await process.communicate(text.encode())
        except TimeoutError:
            logger.warning("an announcement took too long to speak")
            return None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return sized(sound) if process.returncode == 0 and sound.startswith(b"RIFF") else None


def sized(sound: bytes) -> bytes:
    """Return a WAV file with its true lengths: a program that writes to a pipe does not know them in advance."""
    data = sound.index(b"data") + 8
    lengths = ((len(sound) - 8, 4), (len(sound) - data, data - 4))
    fixed = bytearray(sound)
    for length, place in lengths:
        fixed[place : place + 4] = length.to_bytes(4, "little")
    return bytes(fixed)
