"""Record a newcomer's first minutes as an animation: ``python docs/first_run.py``.

The script starts a server in a temporary folder and does the run that ``tests/browser/test_first_run.py`` counts. It writes
``docs/pictures/first-run.webp``, with one frame for each stage.
"""

from __future__ import annotations

import base64
import struct
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.browser.conftest import ARGUMENTS
from tests.browser.newcomer import Newcomer
from tests.browser.states import LAPTOP
from tests.support.first_run import printed_address
from tests.support.processes import program
from tests.support.server import bare_environment, serving

FILE = Path(__file__).resolve().parent / "pictures" / "first-run.webp"
QUALITY = 70
FRAME_MS = 2_200
LAST_MS = 5_000
SETTLE_MS = 300


def main() -> None:
    """Record the run."""
    frames: list[bytes] = []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        browser = playwright.chromium.launch(executable_path=program("chromium", "chromium"), args=ARGUMENTS)
        env = bare_environment(NOWSERVING_DATABASE_URL=f"sqlite+aiosqlite:///{folder / 'nowserving.db'}")
        with serving(env | {"NOWSERVING_DRAIN_DELAY_SECONDS": "0"}, folder) as server:
            size = {"width": LAPTOP[0], "height": LAPTOP[1]}
            desk, hall = (
                browser.new_context(base_url=server.url, locale="en", viewport=size).new_page()  # type: ignore[arg-type]
                for _ in range(2)
            )
            person = Newcomer()
            address = printed_address(server)
            person.opens_a_clinic(desk, hall, address, lambda _, page: frames.append(webp(page)))
        browser.close()
    FILE.write_bytes(animation(frames, LAPTOP))
    print(f"{FILE}: {len(frames)} frames, {FILE.stat().st_size // 1024} KiB, {len(person.actions)} actions")


def webp(page: Page) -> bytes:
    """Return a screenshot of a page that has come to rest."""
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(SETTLE_MS)
    session = page.context.new_cdp_session(page)
    picture = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    return base64.b64decode(picture["data"])


def animation(frames: list[bytes], size: tuple[int, int]) -> bytes:
    """Return WebP pictures of one size as one animation that repeats for ever (the container of RFC 9649)."""
    width, height = (struct.pack("<I", each - 1)[:3] for each in size)
    chunks = [_chunk(b"VP8X", b"\x02\0\0\0" + width + height), _chunk(b"ANIM", b"\xff\xff\xff\xff\0\0")]
    for index, frame in enumerate(frames):
        shown = struct.pack("<I", LAST_MS if index == len(frames) - 1 else FRAME_MS)[:3]
        chunks.append(_chunk(b"ANMF", bytes(6) + width + height + shown + b"\x02" + _picture(frame)))
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def _picture(file: bytes) -> bytes:
    """Return the chunk with the picture of a WebP file."""
    at = 12
    while at < len(file):
        name, length = file[at : at + 4], struct.unpack("<I", file[at + 4 : at + 8])[0]
        if name in (b"VP8 ", b"VP8L"):
            return _chunk(name, file[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    raise ValueError("this file has no picture")


if __name__ == "__main__":
    main()
