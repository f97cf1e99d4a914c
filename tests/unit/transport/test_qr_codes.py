"""The forms of a QR code: each has the same modules."""

from __future__ import annotations

import re

import segno

from server.transport.qr_codes import image, image_address, path, runs

ADDRESS = "https://clinic.example/join/7#K7M3QX"


def test_runs_are_the_dark_modules_of_each_row() -> None:
    assert runs([[1, 1, 0, 1], [0, 0, 0, 0], [0, 1, 1, 1]]) == [[(0, 2), (3, 1)], [], [(1, 3)]]


def test_path_draws_every_dark_module_and_no_other() -> None:
    drawn, modules = path(ADDRESS)
    matrix = segno.make(ADDRESS, error="l", micro=False).matrix
    assert modules == len(matrix)
    found = [[0] * modules for _ in range(modules)]
    parts = re.findall(r"M(\d+) (\d+)h(\d+)v1h-(\d+)z", drawn)
    for x, y, there, back in parts:
        assert there == back
        for module in range(int(x), int(x) + int(there)):
            found[int(y)][module] = 1
    assert found == [list(row) for row in matrix]
    assert len(drawn) == sum(len(f"M{x} {y}h{there}v1h-{back}z") for x, y, there, back in parts)


def test_image_is_black_on_white_with_a_margin_of_four() -> None:
    side = len(segno.make(ADDRESS, error="m", micro=False).matrix) + 8
    drawn = image(ADDRESS).decode()
    assert drawn.startswith("<svg ")
    assert f'viewBox="0 0 {side} {side}"' in drawn
    assert '"#fff"' in drawn
    assert image_address(ADDRESS).startswith("data:image/svg+xml")
