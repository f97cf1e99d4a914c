"""The directories of channels."""

from __future__ import annotations

from pathlib import Path

from server.notifying.context import TrialChannels


async def test_trial_has_one_channel_for_every_way(tmp_path: Path) -> None:
    channels = TrialChannels(str(tmp_path / "sent.jsonl"))
    assert await channels.of(1, "sms") is await channels.of(2, "email") is not None


async def test_trial_without_a_file_has_no_channel() -> None:
    assert await TrialChannels(None).of(1, "sms") is None
