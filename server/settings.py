"""Every setting. The environment (``NOWSERVING_...``) overrides a TOML file (``NOWSERVING_CONFIG``), then defaults apply.

Only the composition roots (`server.app`, `server.cli`, `workers.app`) read the settings, and pass them down.
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
    """The settings cannot be used. The message names each wrong setting."""


class Settings(BaseSettings):
    """The settings of one installation, all validated at the start."""

    model_config = SettingsConfigDict(env_prefix="NOWSERVING_", extra="ignore", frozen=True)

    env: Literal["development", "production"] = Field(
        "development",
        description="`production` refuses weak or missing secrets, and parts that several processes cannot share.",
    )
    database_url: SecretStr = Field(
        SecretStr("sqlite+aiosqlite:///var/nowserving.db"),
        description="SQLAlchemy URL of an SQLite file, or of MySQL 8.4+ / MariaDB 10.11+ (`mysql+aiomysql://...`).",
    )
    database_pool_size: int = Field(
        10, ge=1, le=200, description="The maximum number of database connections of one process."
    )
    redis_url: SecretStr | None = Field(
        None,
        description="Redis for the bus between processes and for the workers. A single process needs none.",
    )
    secret_key: SecretStr = Field(
        SecretStr(DEVELOPMENT_SECRET),
        description="The key of access tokens and keyed hashes. At least 32 characters in production.",
    )
    encryption_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (SecretStr(DEVELOPMENT_KEY),),
        description="Base64 keys of 32 bytes, comma-separated. The first encrypts personal data; all decrypt it.",
    )
    public_url: AnyHttpUrl = Field(
        AnyHttpUrl("http://127.0.0.1:8000"),
        description="The address of this installation for patients, in links of messages and in QR codes.",
    )
    allowed_hosts: Words = Field((), description="The host names of this server, comma-separated. Required in production.")
    cors_origins: Words = Field((), description="Origins of other sites whose pages may call the API, comma-separated.")
    heartbeat_seconds: float = Field(15.0, gt=0, le=300, description="The seconds between two heartbeats of a quiet stream.")
    stalled_seconds: float = Field(
        30.0, gt=0, le=600, description="The server closes a connection whose client reads nothing for so many seconds."
    )
    hand_off: Literal["on", "off"] = Field(
        "on",
        description="`off` streams through plain ASGI, to find faults of the hand-off. It costs ten times as much.",
    )
    event_loop: Literal["auto", "asyncio", "uvloop"] = Field("auto", description="`auto` uses uvloop if it is installed.")
    max_streams: int = Field(20_000, ge=1, description="The maximum number of open streams of one process.")
    max_streams_per_address: int = Field(5_000, ge=1, description="The maximum number of open streams from one address.")
    max_streams_per_token: int = Field(
        20, ge=1, description="The maximum number of open streams for one session, display or ticket."
    )
    rate_limits: Literal["on", "off"] = Field("on", description="`off` removes the limits on requests. For load tests only.")
    limit_anonymous: int = Field(60, ge=1, description="Requests in a minute from an address or a known browser.")
    limit_sign_in: int = Field(10, ge=1, description="Sign-ins and changes of a password in a minute, from one address.")
    limit_pairing: int = Field(10, ge=1, description="Pairing codes in a minute that one address requests.")
    limit_code: int = Field(10, ge=1, description="Pairing codes in a minute that one client enters.")
    limit_staff: int = Field(6_000, ge=1, description="Requests in an hour of a member of staff, or of an API key.")
    limit_device: int = Field(6_000, ge=1, description="Requests in an hour of a display or a kiosk.")
    limit_ticket: int = Field(
        60, ge=1, description="Requests in a minute of a ticket, or of a device that waits to be paired."
    )
    limit_refused: int = Field(100, ge=1, description="The refusals in ten minutes after which an address is blocked.")
    blocked_minutes: int = Field(15, ge=1, le=1_440, description="The minutes for which such an address is blocked.")
    request_seconds: float = Field(
        30.0, gt=0, le=300, description="The server ends a request with status 503 after so many seconds."
    )
    head_seconds: float = Field(
        10.0,
        gt=0,
        le=300,
        description="The server closes a connection whose request has no complete head after so many seconds.",
    )
    body_seconds: float = Field(
        20.0,
        gt=0,
        le=300,
        description="The server closes a connection whose request body is not complete after so many seconds.",
    )
    drain_delay_seconds: float = Field(
        2.0,
        ge=0,
        le=60,
        description="A stopping server accepts requests for so many seconds, until the proxy uses another one.",
    )
    metrics_token: SecretStr | None = Field(
        None,
        min_length=16,
        description="The bearer token of a Prometheus on another machine. Without it only this machine reads `/metrics`.",
    )
    log_format: Literal["json", "console"] | None = Field(
        None, description="The default is `json` in production and `console` in development."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The lowest level that the server logs."
    )
    retention_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="`nowserving retention` deletes personal data after so many days. Without it, personal data stays.",
    )
    recording_path: str | None = Field(
        None, description="A file for trials: the recording channel writes messages to it, and sends nothing."
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
            problems.append("secret_key: set a key of at least 32 characters")
        if any(key.get_secret_value() == DEVELOPMENT_KEY for key in self.encryption_keys):
            problems.append("encryption_keys: set your own keys")
        if not self.allowed_hosts:
            problems.append("allowed_hosts: set the host names of this server")
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
                raise BadSettings(f"NOWSERVING_CONFIG: {path} has unknown settings: {', '.join(unknown)}")
            sources.append(from_file)
        return tuple(sources)

    @property
    def key_bytes(self) -> list[bytes]:
        """The decoded encryption keys."""
        return [base64.b64decode(key.get_secret_value()) for key in self.encryption_keys]

    @property
    def logs_json(self) -> bool:
        """Whether the log is JSON."""
        return (self.log_format or ("json" if self.env == "production" else "console")) == "json"

    def masked(self) -> dict[str, str]:
        """Return the effective settings as text, with masked secrets."""
        return {name: str(value) for name, value in self.model_dump().items()}


def load_settings() -> Settings:
    """Read and validate the settings. Raises `BadSettings`, which names every wrong one."""
    try:
        return Settings()
    except ValidationError as error:
        lines = []
        for each in error.errors(include_url=False, include_input=False):
            name = "NOWSERVING_" + "_".join(str(part) for part in each["loc"][:1]).upper() if each["loc"] else "settings"
            lines.append(f"{name}: {each['msg'].removeprefix('Value error, ')}")
        raise BadSettings("\n".join(lines)) from None


def unknown_names() -> list[str]:
    """Return the ``NOWSERVING_`` names in the environment that no setting reads, most often typing errors."""
    known = {f"NOWSERVING_{name.upper()}" for name in Settings.model_fields} | {"NOWSERVING_CONFIG"}
    return sorted(
        name for name in os.environ if name.startswith("NOWSERVING_") and name not in known and "_TEST_" not in name
    )
