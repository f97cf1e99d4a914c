"""The poster for joining by phone, as a PDF and as a picture."""

from __future__ import annotations

import asyncio
import re
import sys
import zlib
from dataclasses import fields
from threading import Event

import pytest
import typst

from server.transport import poster
from server.transport.poster import PAPERS, Paper, Poster, Posters, compiler_of, modules_of, pdf_of
from server.transport.poster.texts import RIGHT_TO_LEFT, TEXTS, PosterTexts, spoken

ADDRESS = "https://queue.stadtpark-praxis.example/join/7"
INK = (0x1C, 0x1B, 0x19)
POINTS: dict[Paper, tuple[float, float]] = {"a4": (595.28, 841.89), "letter": (612, 792)}
LONG = "Gemeinschaftspraxis für Allgemeinmedizin und Pädiatrie Dr. med. Maximiliane Oberhuber-Dimitropoulou & Söhne"


def a_poster(*languages: str, clinic: str = "Praxis am Stadtpark", paper: Paper = "a4", address: str = ADDRESS) -> Poster:
    return Poster(clinic, languages or ("en",), address, paper)


def objects_of(pdf: bytes) -> bytes:
    """Return a PDF with the text of its compressed streams appended."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    plain = []
    for each in streams:
        try:
            plain.append(zlib.decompressobj().decompress(each))
        except zlib.error:
            continue
    return pdf + b"\n".join(plain)


def svg_of(made: Poster) -> str:
    drawn = compiler_of(made).compile(format="svg")
    assert isinstance(drawn, bytes), "the poster has one page"
    return drawn.decode()


def glyphs_of(svg: str) -> set[str]:
    """Return the outlines of the glyphs in a drawing, each by its path."""
    return set(re.findall(r'<symbol[^>]*>\s*<path[^>]* d="([^"]+)"', svg))


def pixels_of(png: bytes) -> list[list[tuple[int, int, int]]]:
    """Return the pixels of a PNG with eight bits a channel, row by row."""
    width, height, bits, kind = (int.from_bytes(png[a:b], "big") for a, b in ((16, 20), (20, 24), (24, 25), (25, 26)))
    channels = {2: 3, 6: 4}[kind]
    assert bits == 8
    data, at = b"", 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += length + 12
    raw, size = zlib.decompress(data), width * channels
    above, rows = bytearray(size), []
    for y in range(height):
        begin = y * (size + 1)
        line = bytearray(raw[begin + 1 : begin + 1 + size])
        match raw[begin]:
            case 1:
                for x in range(channels, size):
                    line[x] = (line[x] + line[x - channels]) & 255
            case 2:
                line = bytearray((a + b) & 255 for a, b in zip(line, above, strict=True))
            case 3:
                for x in range(size):
                    line[x] = (line[x] + ((line[x - channels] if x >= channels else 0) + above[x]) // 2) & 255
            case 4:
                for x in range(size):
                    left, corner = (line[x - channels], above[x - channels]) if x >= channels else (0, 0)
                    line[x] = (line[x] + _paeth(left, above[x], corner)) & 255
        rows.append([(line[x], line[x + 1], line[x + 2]) for x in range(0, size, channels)])
        above = line
    return rows


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda each: abs(guess - each))


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("languages", [("en",), ("ar", "en"), ("en", "ar", "es", "fr")])
def test_poster_is_one_page_of_its_paper_with_all_fonts_inside(paper: Paper, languages: tuple[str, ...]) -> None:
    for clinic in ("Praxis", LONG):
        content = objects_of(pdf_of(a_poster(*languages, clinic=clinic, paper=paper)))
        boxes = re.findall(rb"/MediaBox ?\[ ?0 0 ([\d.]+) ([\d.]+)", content)
        assert len(boxes) == 1
        assert tuple(map(float, boxes[0])) == pytest.approx(POINTS[paper], abs=0.1)
        names = {each.partition(b"+")[2] for each in re.findall(rb"/FontName ?/([A-Z]{6}\+[\w-]+)", content)}
        arabic = {b"NotoSansArabic-Regular", b"NotoSansArabic-Bold"} if "ar" in languages else set()
        assert names >= {b"Inter-Bold"} | arabic
        assert all(name.startswith((b"Inter", b"NotoSansArabic")) for name in names), names
        assert len(re.findall(rb"/FontFile[23]? \d", content)) >= len(names)


def test_code_on_the_picture_is_the_address() -> None:
    """Every module of the drawn code is that of the QR code of the address."""
    for languages in (("en", "ar"), ("ar",)):
        drawn = compiler_of(a_poster(*languages)).compile(format="png", ppi=60)
        assert isinstance(drawn, bytes)
        pixels = pixels_of(drawn)
        dark = [[pixel == INK for pixel in row] for row in pixels]
        top = next(y for y, row in enumerate(dark) if sum(row) > 20)  # below the head, whose words are white
        row = dark[top + 1]
        begin = row.index(True)
        # The first seven modules of a code are dark.
        module = next(x for x in range(begin, len(row)) if not row[x] and not any(row[x : x + 3])) - begin
        wanted = modules_of(ADDRESS)
        side = module / 7
        found = [
            [dark[round(top + (y + 0.5) * side)][round(begin + (x + 0.5) * side)] for x in range(len(wanted))]
            for y in range(len(wanted))
        ]
        wrong = sum(a != b for mine, right in zip(found, wanted, strict=True) for a, b in zip(mine, right, strict=True))
        assert wrong <= len(wanted) ** 2 // 100, f"{wrong} of {len(wanted) ** 2} modules differ"


def test_arabic_letters_are_joined() -> None:
    """The glyphs on the poster are those of the joined title, and those forms differ from letters that stand alone."""

    def shaped(text: str, size: int) -> set[str]:
        fonts = poster._fonts(only_own=True)
        about = f'#set text(font: "Noto Sans Arabic", weight: 700, lang: "ar", size: {size}pt)\n#sys.inputs.text'
        made = typst.Compiler(about.encode(), font_paths=fonts, sys_inputs={"text": text}).compile(format="svg")
        assert isinstance(made, bytes)
        return glyphs_of(made.decode())

    title, drawn = TEXTS["ar"].title, glyphs_of(svg_of(a_poster("ar")))
    size = next(each for each in (54, 48, 42, 36, 30) if shaped(title, each) <= drawn)
    assert len(shaped(title, size) - shaped("\u200c".join(title), size)) >= 5, "the joined forms are glyphs of their own"


@pytest.mark.parametrize(
    "clinic", ['#panic("no")', "$x^2$ *bold* _a_ @ref <tag> `raw` [b] \\ // no", "#import", '"}]', "]#set page(width: 1pt)["]
)
def test_markup_in_a_name_stays_text(clinic: str) -> None:
    assert re.search(rb"/MediaBox ?\[ ?0 0 595", objects_of(pdf_of(a_poster(clinic=clinic))))


def test_name_in_another_script_is_set_by_a_font_of_the_machine() -> None:
    names = re.findall(rb"/FontName ?/[A-Z]{6}\+([\w-]+)", objects_of(pdf_of(a_poster(clinic="Клиника Ωμέγα"))))
    assert any(not name.startswith((b"Inter", b"Noto")) for name in names)


def test_long_address_fits() -> None:
    address = f"https://{'a' * 60}.{'b' * 40}.example/join/123456"
    assert re.findall(rb"/MediaBox", objects_of(pdf_of(a_poster(address=address)))) == [b"/MediaBox"]


def test_languages_are_those_of_the_site_that_have_texts() -> None:
    assert spoken(["de", "es-419", "ar", "es", "en"]) == ["es", "ar", "en"]
    assert spoken(["de"]) == ["en"]


def test_every_language_has_every_text() -> None:
    assert set(RIGHT_TO_LEFT) <= set(TEXTS)
    for texts in TEXTS.values():
        assert all(getattr(texts, item.name).strip() for item in fields(PosterTexts))


def test_event_loop_goes_on_while_a_poster_is_set() -> None:
    """typst computes without Python's lock, in a thread: other tasks get turns meanwhile.

    Python takes the lock from no thread here, so a turn inside the computation proves that typst has released it.
    """
    computing = Event()

    def set_watched(content: Poster) -> bytes:
        compiler = compiler_of(content)
        computing.set()
        try:
            made = compiler.compile(format="pdf")
        finally:
            computing.clear()
        assert isinstance(made, bytes)
        return made

    async def turns(clinic: str) -> int:
        counted = 0
        task = asyncio.create_task(Posters().set(set_watched, a_poster("ar", "en", "fr", clinic=clinic)))
        while not task.done():
            counted += computing.is_set()
            await asyncio.sleep(0)
        assert (await task).startswith(b"%PDF")
        return counted

    usual = sys.getswitchinterval()
    sys.setswitchinterval(60)
    try:
        # A busy machine can give the loop no processor during one poster.
        assert any(asyncio.run(turns(f"Clinic {number}, so that nothing is kept")) for number in range(20))
    finally:
        sys.setswitchinterval(usual)
