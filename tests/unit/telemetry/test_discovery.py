"""The file by which Prometheus finds a process."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from server.telemetry.discovery import Target


def test_file_names_the_port_until_it_is_withdrawn(tmp_path: Path) -> None:
    target = Target(tmp_path / "made")
    target.publish(8123)
    (path,) = (tmp_path / "made").iterdir()
    assert path.name == f"{os.getpid()}.json"
    assert json.loads(path.read_text()) == [{"targets": ["127.0.0.1:8123"]}]
    target.withdraw()
    target.withdraw()
    assert list((tmp_path / "made").iterdir()) == []


def test_files_of_ended_processes_go_and_others_stay(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    for name in (f"{ended.pid}.json", f"{os.getppid()}.json", "1.json", "of-another-program.json"):
        (tmp_path / name).write_text("[]")
    Target(tmp_path).publish(8123)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"{os.getpid()}.json", f"{os.getppid()}.json", "1.json", "of-another-program.json"}
