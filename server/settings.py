"""Every setting: the environment (``NOWSERVING_...``) over a TOML file (``NOWSERVING_CONFIG``) over the defaults.

Read at the composition roots only (`server.app`, `server.cli`, `workers.app`) and passed down from there.
"""

from __future__ import annotations

import base64
import binascii
import os
import tomllib
from typing import Annotated, Any, Literal

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from sqlalchemy.exc import ArgumentError

from server.store.database import database_url

DEVELOPMENT_SECRET = "for development only: anybody can read this"
DEVELOPMENT_KEY = base64.b64encode(b"for development only, not secret").decode()

Words = Annotated[tuple[str, ...], NoDecode]


class BadSettings(Exception):
    """The settings cannot be used; the message names each one that is wrong."""


class Settings(BaseSettings):
    """The settings of one installation, all checked at the start."""

    model_config = SettingsConfigDict(env_prefix="NOWSERVING_", extra="ignore", frozen=True)

    env: Literal["development", "production"] = Field(
        "development", description="`production` refuses weak or missing secrets, and what one process alone may use."
    )
    database_url: SecretStr = Field(
        SecretStr("sqlite+aiosqlite:///var/nowserving.db"),
        description="SQLAlchemy URL of an SQLite file, or of MySQL 8.4+ / MariaDB 10.11+ (`mysql+aiomysql://...`).",
    )
    database_pool_size: int = Field(10, ge=1, le=200, description="Database connections of one process, at most.")
    redis_url: SecretStr | None = Field(
        None, description="Redis for the bus between processes and for the workers; without it, one process alone."
    )
    secret_key: SecretStr = Field(
        SecretStr(DEVELOPMENT_SECRET), description="Signs access tokens and keys the hashes; at least 32 characters."
    )
    encryption_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (SecretStr(DEVELOPMENT_KEY),),
        description="Base64 of 32 bytes each, comma-separated; the first seals personal data, all open it.",
    )
    public_url: AnyHttpUrl = Field(
        AnyHttpUrl("http://127.0.0.1:8000"),
        description="Where patients reach this installation: for links in messages, and QR codes.",
    )
    allowed_hosts: Words = Field((), description="Host names answered, comma-separated; required in production.")
    cors_origins: Words = Field((), description="Origins of other sites whose pages may call the API.")
    heartbeat_seconds: float = Field(15.0, gt=0, le=300, description="How often a quiet stream gives a sign of life.")
    stalled_seconds: float = Field(
        30.0, gt=0, le=600, description="How long a screen may take nothing of its stream before it is cut off."
    )
    hand_off: Literal["on", "off"] = Field(
        "on",
        description="`off` streams through plain ASGI: for finding out whether the hand-off is to blame; it costs tenfold.",
    )
    event_loop: Literal["auto", "asyncio", "uvloop"] = Field("auto", description="`auto` is uvloop where it is installed.")
    max_streams: int = Field(20_000, ge=1, description="Open streams of one process, at most.")
    max_streams_per_address: int = Field(5_000, ge=1, description="Open streams from one address, at most.")
    max_streams_per_token: int = Field(20, ge=1, description="Open streams for one session, display or ticket, at most.")
    rate_limits: Literal["on", "off"] = Field(
        "on", description="`off` lets anybody ask as often as they like: for load tests, never for patients."
    )
    request_seconds: float = Field(30.0, gt=0, le=300, description="After so long a request is given up with 503.")
    drain_delay_seconds: float = Field(
        2.0, ge=0, le=60, description="How long a stopping server still accepts, so that the proxy can look away."
    )
    log_format: Literal["json", "console"] | None = Field(
        None, description="`json` in production and `console` in development unless set."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")
    retention_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="After how many days `nowserving retention` forgets who patients were; unset keeps it.",
    )
    recording_path: str | None = Field(
        None, description="File to which the recording channel writes messages instead of sending them; for trials."
    )

    @field_validator("allowed_hosts", "cors_origins", "encryption_keys", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _is_a_database(cls, value: SecretStr) -> SecretStr:
        try:
            database_url(value.get_secret_value())
        except (ValueError, ArgumentError) as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("encryption_keys")
    @classmethod
    def _are_keys(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not value:
            raise ValueError("at least one key is needed")
        for key in value:
            try:
                size = len(base64.b64decode(key.get_secret_value(), validate=True))
            except binascii.Error:
                raise ValueError("each key is base64") from None
            if size != 32:
                raise ValueError(f"each key is 32 bytes, not {size}")
        return value

    @model_validator(mode="after")
    def _fit_for_production(self) -> Settings:
        if self.env != "production":
            return self
        problems = []
        if self.secret_key.get_secret_value() == DEVELOPMENT_SECRET or len(self.secret_key.get_secret_value()) < 32:
            problems.append("secret_key: set one of at least 32 characters")
        if any(key.get_secret_value() == DEVELOPMENT_KEY for key in self.encryption_keys):
            problems.append("encryption_keys: set your own")
        if not self.allowed_hosts:
            problems.append("allowed_hosts: name the hosts that are answered")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        sources: list[PydanticBaseSettingsSource] = [init_settings, env_settings]
        path = os.environ.get("NOWSERVING_CONFIG")
        if path:
            if not os.path.isfile(path):
                raise BadSettings(f"NOWSERVING_CONFIG: there is no file {path}")
            try:
                from_file = TomlConfigSettingsSource(settings_cls, path)
            except tomllib.TOMLDecodeError as error:
                raise BadSettings(f"NOWSERVING_CONFIG: {path} is not TOML: {error}") from None
            unknown = sorted(set(from_file.toml_data) - set(settings_cls.model_fields))
            if unknown:
                raise BadSettings(f"NOWSERVING_CONFIG: {path} has no settings of ours: {', '.join(unknown)}")
            sources.append(from_file)
        return tuple(sources)

    @property
    def key_bytes(self) -> list[bytes]:
        """The encryption keys, decoded."""
        return [base64.b64decode(key.get_secret_value()) for key in self.encryption_keys]

    @property
    def logs_json(self) -> bool:
        """Whether the log is JSON."""
        return (self.log_format or ("json" if self.env == "production" else "console")) == "json"

    def masked(self) -> dict[str, str]:
        """Return the effective settings for people to read, without secrets."""
        return {name: str(value) for name, value in self.model_dump().items()}


def load_settings() -> Settings:
    """Read and check the settings. Raises `BadSettings` naming every one that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        lines = []
        for each in error.errors(include_url=False, include_input=False):
            name = "NOWSERVING_" + "_".join(str(part) for part in each["loc"][:1]).upper() if each["loc"] else "settings"
            lines.append(f"{name}: {each['msg'].removeprefix('Value error, ')}")
        raise BadSettings("\n".join(lines)) from None


def unknown_names() -> list[str]:
    """Return the environment's ``NOWSERVING_`` names that no setting reads: most often a slip of the pen."""
    known = {f"NOWSERVING_{name.upper()}" for name in Settings.model_fields} | {"NOWSERVING_CONFIG"}
    return sorted(
        name for name in os.environ if name.startswith("NOWSERVING_") and name not in known and "_TEST_" not in name
    )
