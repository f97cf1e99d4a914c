"""The directories of channels."""

from __future__ import annotations

from pathlib import Path

from server.notifying.channels.directory import Directory
from server.notifying.context import TrialChannels, channels_for
from server.store.database import Database
from server.vault import Vault
from tests.support.vaults import VAULT


async def test_trial_has_one_channel_for_every_way(tmp_path: Path) -> None:
    channels = TrialChannels(str(tmp_path / "sent.jsonl"))
    assert await channels.of(1, "sms") is await channels.of(2, "email") is not None


async def test_installation_without_a_trial_has_the_channels_of_its_administrators(database: Database, vault: Vault) -> None:
    channels = channels_for(database, vault, None, None)
    assert isinstance(channels, Directory)
    assert await channels.of(1, "sms") is None
    await channels.close()


def test_file_of_a_trial_replaces_every_channel(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    assert isinstance(channels_for(database, VAULT, None, str(tmp_path / "sent.jsonl")), TrialChannels)
