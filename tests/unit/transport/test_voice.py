"""The voice of announcements. Tests that speak use the real program; tests of failures replace it."""

from __future__ import annotations

import asyncio
import io
import subprocess
import time
import wave
from pathlib import Path
from string import ascii_uppercase

import pytest

from server.transport import voice
from server.transport.voice import VOICES, Voice
from tests.support.processes import program

STRESS = str.maketrans("", "", "',")
WEB = Path(__file__).parents[3] / "web"


@pytest.fixture
def speaking() -> Voice:
    return Voice(WEB, program(voice.PROGRAM, "espeak-ng"))


def length_of(sound: bytes) -> float:
    with wave.open(io.BytesIO(sound)) as opened:
        frames = opened.readframes(opened.getnframes())
        assert len(frames) == opened.getnframes() * 2, "its header tells its true length"
        return float(opened.getnframes() / opened.getframerate())


@pytest.mark.parametrize("language", VOICES)
async def test_call_is_spoken_in_every_language(speaking: Voice, language: str) -> None:
    text = speaking.words(language, "speech.call", label=speaking.spelled(language, "A012"), point="Room 3")
    assert "0 1 2" in text
    assert "Room 3" in text
    sound = await speaking.say(language, text)
    assert sound is not None
    assert 1 < length_of(sound) < 10


def phonemes(language: str, text: str) -> str:
    """Return what the voice would speak, in the notation of espeak-ng."""
    asked = [program(voice.PROGRAM, "espeak-ng"), "-q", "-x", "-v", VOICES[language], text]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("language", VOICES)
def test_every_letter_of_a_ticket_sounds_different(speaking: Voice, language: str) -> None:
    heard = {letter: phonemes(language, speaking.spelled(language, f"{letter}047")) for letter in ascii_uppercase}
    assert len(set(heard.values())) == 26
    assert not [letter for letter, sound in heard.items() if "(en)" in sound], "the voice names no letter in English"


def test_english_voice_speaks_the_names_of_letters(speaking: Voice) -> None:
    """Before figures, the voice would read the article "a"."""
    assert speaking.spelled("en", "A047") == "eigh 0 4 7"
    for letter in ascii_uppercase:
        spoken = phonemes("en", speaking.spelled("en", f"{letter}0")).split()[0]
        assert spoken.translate(STRESS) == phonemes("en", letter).translate(STRESS), letter


async def test_every_language_of_the_pages_has_a_voice() -> None:
    assert {path.stem for path in (WEB / "locales").glob("*.json")} == set(VOICES)


async def test_concurrent_requests_for_one_text_render_it_once(speaking: Voice) -> None:
    first, second = await asyncio.gather(speaking.say("en", "Once."), speaking.say("en", "Once."))
    assert first is second is not None
    assert await speaking.say("en", "Once.") is first


async def test_cancelled_request_does_not_cancel_the_rendering_for_others(speaking: Voice) -> None:
    impatient = asyncio.create_task(speaking.say("en", "Patience."))
    patient = asyncio.create_task(speaking.say("en", "Patience."))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient is not None


async def test_kept_sounds_have_a_bounded_size(speaking: Voice, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await speaking.say("en", "One.")
    assert first is not None
    monkeypatch.setattr(voice, "KEPT_BYTES", len(first) * 2)
    for text in ("Two.", "Three.", "Four."):
        await speaking.say("en", text)
    assert await speaking.say("en", "One.") is not first


async def test_speaking_does_not_block_the_loop(tmp_path: Path) -> None:
    """The program waits for a file, and only a turn of the loop makes this file."""
    waiting, turn = tmp_path / "waiting", tmp_path / "turn"
    waiting.write_text(f'#!/bin/sh\nuntil [ -e {turn} ]; do sleep 0.01; done\nexec espeak-ng "$@"\n')
    waiting.chmod(0o755)
    rendering = asyncio.create_task(Voice(WEB, str(waiting)).say("en", "Hello."))
    await asyncio.sleep(0)
    turn.touch()
    assert await rendering is not None


async def test_server_without_a_voice_returns_no_sound(tmp_path: Path) -> None:
    assert await Voice(WEB, "").say("en", "Hello.") is None
    assert not Voice(WEB, "").speaks("en")
    assert await Voice(WEB, "espeak-ng").say("tlh", "nuqneH") is None
    absent = Voice(WEB, str(tmp_path / "absent"))
    assert await absent.say("en", "Hello.") is None
    assert not absent.speaks("en"), "it is not tried again"


@pytest.mark.parametrize("script", ["exit 3", "echo nonsense"])
async def test_failing_program_returns_no_sound(tmp_path: Path, script: str) -> None:
    broken = tmp_path / "broken"
    broken.write_text(f"#!/bin/sh\n{script}\n")
    broken.chmod(0o755)
    assert await Voice(WEB, str(broken)).say("en", "Hello.") is None


async def test_hanging_program_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "RENDER_SECONDS", 0.2)
    hanging = tmp_path / "hanging"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    hanging.chmod(0o755)
    began = time.monotonic()
    assert await Voice(WEB, str(hanging)).say("en", "Hello.") is None
    assert time.monotonic() - began < 300


async def test_text_is_never_a_command(speaking: Voice) -> None:
    """The text goes through a pipe: no part of a point's name is an option, markup or a word of a shell."""
    sound = await speaking.say("en", "-f /etc/passwd; $(reboot) <break time='9000ms'/> Room 3")
    assert sound is not None
    assert length_of(sound) < 20
