"""The settings of binary logs decide whether a restore can use them."""

from __future__ import annotations

import pytest

from server.store.binary_logs import BinaryLogs


@pytest.mark.parametrize(
    ("wrong", "place", "grant", "on", "usable"),
    [
        ({}, "log.000001:4", "", True, True),
        ({}, None, "GRANT", True, True),
        ({}, None, "", True, False),
        ({"binlog_format": "MIXED"}, "log.000001:4", "", True, False),
        ({"log_bin": "OFF", "binlog_format": "MIXED"}, None, "", False, False),
    ],
)
def test_logs_are_usable_with_the_wanted_settings_and_a_place(
    wrong: dict[str, str], place: str | None, grant: str, on: bool, usable: bool
) -> None:
    logs = BinaryLogs(wrong, place, grant, 0)
    assert (logs.on, logs.usable) == (on, usable)


def test_first_wrong_setting_is_named_with_its_remedy() -> None:
    assert BinaryLogs({}, None, "", 0).settings == ""
    assert BinaryLogs({"binlog_format": "MIXED"}, None, "", 0).settings == "binlog_format=MIXED; set binlog_format=ROW"
