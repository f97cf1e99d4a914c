"""Every setting. The environment (``NOWSERVING_...``) overrides a TOML file (``NOWSERVING_CONFIG``), then defaults apply.

A secret may be in a file of its own, which ``NOWSERVING_..._FILE`` names: containers mount their secrets so.

Only the composition roots (`server.app`, `server.cli`, `workers.app`) read the settings, and pass them down.
"""

from __future__ import annotations

import os
import re
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from sqlalchemy.exc import ArgumentError

from server.installation import keys
from server.installation.keys import BadKeys, Keys
from server.live.redis_urls import cluster_address
from server.store.database import Database, database_url

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]+)?|https?://\[[0-9a-f:]+\](:[0-9]+)?")
_MAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
_OTHER_NAMES = frozenset({"NOWSERVING_CONFIG", "NOWSERVING_NEW_PASSWORD"})  # the password of `nowserving user`

_ADDRESS = re.compile(r"https?://[^\s/]+(/\S*)?")
# The optional packages of a setting: its extra, and the modules of this extra.
_EXTRAS = {
    "traces_url": ("tracing", ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")),
    "sentry_dsn": ("sentry", ("sentry_sdk",)),
}

Words = Annotated[tuple[str, ...], NoDecode]


_SCHEMES = frozenset({"database_url", "redis_url", "broker_url", "public_url"})


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
        10, ge=1, le=200, description="The number of database connections that one process keeps open."
    )
    database_pool_overflow: int = Field(
        0, ge=0, le=200, description="The number of further connections that a process opens while all of these are in use."
    )
    database_pool_wait_seconds: float = Field(
        10.0, gt=0, le=60, description="Work that finds no free connection for so many seconds is refused with status 503."
    )
    database_pool_recycle_seconds: float = Field(
        3600.0,
        gt=0,
        le=86_400,
        description="A connection to a database server is replaced after so many seconds. Stay below its `wait_timeout`.",
    )
    redis_url: SecretStr | None = Field(
        None,
        description="Redis for the bus between processes, for limits and for the workers. A single process needs none. "
        "`redis+cluster://:PASSWORD@one:6379,two:6379` names the nodes of a Redis Cluster.",
    )
    broker_url: SecretStr | None = Field(
        None,
        description="A single Redis that only wakes the workers (Celery). Required if `redis_url` is a cluster, which "
        "Celery cannot use; otherwise the default is `redis_url`.",
    )
    secret_key: SecretStr | None = Field(
        None,
        description="The key of access tokens and keyed hashes: at least 32 random characters. Without it and "
        "`encryption_keys`, the first start makes both and writes them to the key file.",
    )
    encryption_keys: Annotated[tuple[SecretStr, ...] | None, NoDecode] = Field(
        None,
        description="Base64 keys of 32 bytes, comma-separated. The first encrypts personal data; all decrypt it.",
    )
    key_file: Path | None = Field(
        None,
        description="The key file. The default is beside the embedded database (`var/nowserving.keys`). All processes of "
        "an installation need the same one.",
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
    frozen_seconds: float = Field(
        30.0,
        ge=0,
        le=3_600,
        description="A server process that has done nothing at all for so many seconds ends, and its supervisor starts "
        "another. 0 switches this off, for a debugger.",
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
    max_streams_per_member: int = Field(
        60,
        ge=1,
        description="The maximum number of open streams of one member of staff, over all sessions. At least those of one "
        "session count.",
    )
    rate_limits: Literal["on", "off"] = Field("on", description="`off` removes the limits on requests. For load tests only.")
    limit_anonymous: int = Field(60, ge=1, description="Requests in a minute from an address or a known browser.")
    limit_sign_in: int = Field(10, ge=1, description="Sign-ins and changes of a password in a minute, from one address.")
    limit_pairing: int = Field(10, ge=1, description="Pairing codes in a minute that one address requests.")
    limit_code: int = Field(10, ge=1, description="Pairing codes in a minute that one client enters.")
    limit_staff: int = Field(6_000, ge=1, description="Requests in an hour of a member of staff, or of an API key.")
    limit_check_in: int = Field(5, ge=1, description="Attempts in a minute to check in at a kiosk.")
    limit_device: int = Field(6_000, ge=1, description="Requests in an hour of a display or a kiosk.")
    limit_ticket: int = Field(
        60, ge=1, description="Requests in a minute of a ticket, or of a device that waits to be paired."
    )
    limit_joining: int = Field(600, ge=1, description="Looks in a minute at the page for joining, from one address.")
    limit_join_code: int = Field(120, ge=1, description="Codes of screens in a minute that phones at one address enter.")
    limit_pages: int = Field(
        1_000, ge=1, description="Pages in an hour for cookies that this server did not sign, from one address."
    )
    limit_phone: int = Field(60, ge=1, description="Requests in a minute of a phone that joins a queue.")
    limit_joined: int = Field(
        100, ge=1, description="Tickets in an hour that phones behind one address get by joining a queue themselves."
    )
    limit_booked: int = Field(60, ge=1, description="Appointments in an hour that visitors at one address book themselves.")
    limit_booked_by_phone: int = Field(10, ge=1, description="Appointments in an hour that one visitor's browser books.")
    limit_held: int = Field(120, ge=1, description="Times in an hour that visitors at one address keep while they type.")
    limit_subscribed: int = Field(20, ge=1, description="Push subscriptions in an hour of one ticket or appointment.")
    limit_reports: int = Field(120, ge=1, description="Figures for managers in a minute, for one member of staff.")
    limit_refused: int = Field(100, ge=1, description="The refusals in ten minutes after which an address is blocked.")
    limit_health: int = Field(
        600, ge=1, description="Requests for `/health/ready` in a minute from one address; this machine has no limit."
    )
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
    session_hours: float = Field(
        12.0,
        gt=0,
        le=24,
        description="A member of staff signs in again after so many hours, also when in the middle of work.",
    )
    admin_idle_minutes: float = Field(
        30.0, gt=0, le=60, description="The session of an administrator ends after so many minutes without use; others: 60."
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
    certificate: Path | None = Field(
        None,
        description="The certificate of the proxy (PEM). `nowserving check`, `/metrics` and `/admin` then tell its end.",
    )
    metrics_folder: Path | None = Field(
        None,
        description="Each process opens a port of its own on this machine, and writes a file with its address here: "
        "Prometheus finds every process of `--workers` in this folder.",
    )
    traces_url: SecretStr | None = Field(
        None,
        description="The OTLP address of a collector of traces (HTTP), such as `http://127.0.0.1:4318/v1/traces`. "
        "Needs the extra `nowserving[tracing]`.",
    )
    sentry_dsn: SecretStr | None = Field(
        None,
        description="The address (DSN) of a Sentry project that gets the unexpected errors. Needs the extra "
        "`nowserving[sentry]`.",
    )
    log_format: Literal["json", "console"] | None = Field(
        None, description="The default is `json` in production and `console` in development."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The lowest level that the server logs."
    )
    slow_request_seconds: float = Field(
        1.0, gt=0, le=300, description="A request whose answer begins later than so many seconds is logged as slow."
    )
    slow_query_seconds: float = Field(
        0.5,
        gt=0,
        le=300,
        description="A statement that takes longer than so many seconds is logged as slow, without its parameters.",
    )
    retention_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="`nowserving retention` deletes personal data after so many days. Without it, personal data stays.",
    )
    backup_folder: Path | None = Field(
        None, description="The folder of the backups. With it, a backup is made each night; without it, there are none."
    )
    backup_hour: int = Field(2, ge=0, le=23, description="The hour of UTC at which the nightly backup is made.")
    backups_kept: int = Field(7, ge=1, le=3_650, description="The days of which a backup stays: the newest of each.")
    backup_weeks_kept: int = Field(4, ge=0, le=520, description="The weeks of which a backup stays: the newest of each.")
    archive_folder: Path | None = Field(
        None,
        description="The folder of the archive of an embedded database. With it, each second of the last days of "
        "NOWSERVING_BACKUPS_KEPT can be restored.",
    )
    recording_path: str | None = Field(
        None, description="A file for trials: the recording channel writes messages to it, and sends nothing."
    )
    watchdog_mail: Words = Field(
        (),
        description="The e-mail addresses, comma-separated, that the watchdog tells about a part that is in trouble for "
        "minutes. It sends through the mail channel of the clinic.",
    )

    push_services: Words = Field(
        (),
        description="Host names of further push services, comma-separated. Those of Chrome, Firefox, Safari and Edge are "
        "known. A patient's phone chooses the address below such a host, and the server calls it.",
    )

    @field_validator("allowed_hosts", "cors_origins", "encryption_keys", "push_services", "watchdog_mail", mode="before")
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

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            cluster_address(value.get_secret_value())
        return value

    @field_validator("broker_url")
    @classmethod
    def _is_a_broker(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.match(r"(rediss?|redis\+socket)://.", value.get_secret_value()):
            raise ValueError("name a single Redis, like redis://:PASSWORD@127.0.0.1:6379/0, or remove the setting")
        return value

    @field_validator("traces_url", "sentry_dsn")
    @classmethod
    def _is_an_address_with_a_package(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        extra, modules = _EXTRAS[info.field_name or ""]
        if value is None:
            return None
        if not _ADDRESS.fullmatch(value.get_secret_value()):
            raise ValueError("set an address that begins with http:// or https://, or remove the setting")
        if not all(_is_installed(each) for each in modules):
            raise ValueError(f'its package is not installed: pip install "nowserving[{extra}]", or remove the setting')
        return value

    @field_validator("watchdog_mail")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [each for each in value if not _MAIL.fullmatch(each)]
        if wrong:
            raise ValueError(f"write each address like it@clinic.example, not {', '.join(wrong)}")
        return value

    @field_validator("secret_key")
    @classmethod
    def _is_a_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().strip():
            raise ValueError("set a key, or remove the setting")
        return value

    @field_validator("encryption_keys")
    @classmethod
    def _are_keys(cls, value: tuple[SecretStr, ...] | None) -> tuple[SecretStr, ...] | None:
        if value == ():
            raise ValueError("at least one key is needed")
        for key in value or ():
            keys.decoded(key.get_secret_value())
        return value

    @field_validator("broker_url", "metrics_token", "traces_url", "sentry_dsn", mode="before")
    @classmethod
    def _may_be_empty(cls, value: Any) -> Any:
        return None if value == "" else value  # a compose file cannot leave a variable out

    @field_validator("key_file", "certificate", "metrics_folder", "backup_folder", "archive_folder", mode="before")
    @classmethod
    def _is_a_path(cls, value: Any) -> Any:
        if value == "":
            raise ValueError("set a path, or remove the setting")
        return value

    @model_validator(mode="after")
    def _keys_come_together(self) -> Settings:
        if (self.secret_key is None) != (self.encryption_keys is None):
            one, other = ("secret_key", "encryption_keys")[:: 1 if self.secret_key is None else -1]
            raise ValueError(f"{one}: set it too, or neither it nor {other}. `nowserving keys new` makes a key")
        return self

    @model_validator(mode="after")
    def _workers_have_a_broker(self) -> Settings:
        if self.broker_url is None and self.redis_url and cluster_address(self.redis_url.get_secret_value()):
            raise ValueError("broker_url: name a single Redis for Celery, which cannot use the cluster of redis_url")
        return self

    @model_validator(mode="after")
    def _fit_for_production(self) -> Settings:
        if self.env != "production":
            return self
        problems = [f"{name}: {why}" for name, why in self.weak_keys().items()]
        if not self.allowed_hosts:
            problems.append("allowed_hosts: set the host names of this server")
        wrong = [each for each in self.cors_origins if not _ORIGIN.fullmatch(each)]
        if wrong:
            problems.append(f"cors_origins: name each origin like https://desk.example.org, not {', '.join(wrong)}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def weak_keys(self) -> dict[str, str]:
        """Return, by setting, why a stranger could guess a key that the settings name."""
        weak = {}
        if self.named_keys is not None:
            if why := keys.weakness_of_secret(self.named_keys.secret_key):
                weak["secret_key"] = f"{why} (`openssl rand -hex 32` makes a good one)"
            if why := next(filter(None, map(keys.weakness_of_key, self.named_keys.encryption_keys)), None):
                weak["encryption_keys"] = f"{why} (`nowserving keys new` makes a good one)"
        return weak

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        secrets = InitSettingsSource(settings_cls, _secrets_in_files(settings_cls))
        sources: list[PydanticBaseSettingsSource] = [init_settings, env_settings, secrets]
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
    def link_base(self) -> str:
        """The beginning of links to this installation, without a slash at its end."""
        return str(self.public_url).rstrip("/")

    @property
    def public_address(self) -> str | None:
        """The same if the operator has set it, else None: the default address leads to the reader's own machine."""
        return self.link_base if "public_url" in self.model_fields_set else None

    @property
    def named_keys(self) -> Keys | None:
        """The keys that are settings, or None: then the key file has them."""
        if self.secret_key is None or self.encryption_keys is None:
            return None
        return Keys(
            self.secret_key.get_secret_value(), tuple(keys.decoded(each.get_secret_value()) for each in self.encryption_keys)
        )

    @property
    def database_file(self) -> Path | None:
        """The file of the embedded database, or None where the database is a server."""
        url = database_url(self.database_url.get_secret_value())
        return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None

    @property
    def key_path(self) -> Path:
        """The absolute path of the key file."""
        beside = self.database_file or Path("var/nowserving.db")
        return (self.key_file or beside.with_suffix(".keys")).absolute()

    @property
    def data_folder(self) -> Path:
        """The folder of the embedded database, else that of the key file."""
        return (self.database_file or self.key_path).absolute().parent

    @property
    def logs_json(self) -> bool:
        """Whether the log is JSON."""
        return (self.log_format or ("json" if self.env == "production" else "console")) == "json"

    def for_strangers(self) -> dict[str, str | int | float]:
        """Return the effective settings without anything that names a place, a person or a secret.

        Numbers and choices are shown. Of addresses of services, only the scheme is. Of all others, whether they are set.
        """
        shown: dict[str, str | int | float] = {}
        for name, value in self:
            if isinstance(value, int | float) or name in _CHOICES:
                shown[name] = "default" if value is None else value
            elif name in _SCHEMES and value is not None:
                address = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
                shown[name] = f"{address.partition(':')[0]}:(hidden)"
            else:
                shown[name] = "set" if name in self.model_fields_set and value not in (None, ()) else "not set"
        return shown

    def masked(self) -> dict[str, str]:
        """Return the effective settings as text, with masked secrets."""
        return {name: str(value) for name, value in self.model_dump().items()}


def secret_files(settings: type[BaseSettings] = Settings) -> dict[str, str]:
    """Return the names in the environment that may name the file of a secret, each with its setting."""
    secret = (name for name, field in settings.model_fields.items() if "SecretStr" in str(field.annotation))
    return {f"NOWSERVING_{name.upper()}_FILE": name for name in secret}


def _secrets_in_files(settings: type[BaseSettings]) -> dict[str, str]:
    """Return the secrets that the environment names by their files. Raises `BadSettings`, which contains no secret."""
    found = {}
    for variable, name in secret_files(settings).items():
        path = os.environ.get(variable)
        if path is None:
            continue
        if variable.removesuffix("_FILE") in os.environ:
            raise BadSettings(f"{variable}: set either this or {variable.removesuffix('_FILE')}")
        try:
            text = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise BadSettings(f"{variable}: {path or 'an empty path'} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise BadSettings(f"{variable}: {path} is not text in UTF-8") from None
        if not text:
            raise BadSettings(f"{variable}: {path} is empty")
        found[name] = text
    return found


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False


_CHOICES = frozenset(name for name, each in Settings.model_fields.items() if "Literal[" in str(each.annotation))


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


def find_keys(settings: Settings) -> Keys | None:
    """Return the keys of the installation: from the settings, else from the key file; None before the first start.

    Raises `BadKeys` for a key file that cannot be used.
    """
    return settings.named_keys or keys.read(settings.key_path)


def keys_of(settings: Settings) -> Keys:
    """Return the keys of the installation. Raises `BadKeys` if there are none yet, or if they cannot be used."""
    found = find_keys(settings)
    if found is None:
        raise BadKeys(f"There are no keys yet: {settings.key_path} is missing. Run `nowserving migrate` first.")
    return found


def database_of(settings: Settings) -> Database:
    """Return the database of these settings, with their pool. It opens no connection yet."""
    return Database(
        settings.database_url.get_secret_value(),
        settings.database_pool_size,
        pool_overflow=settings.database_pool_overflow,
        pool_wait_seconds=settings.database_pool_wait_seconds,
        pool_recycle_seconds=settings.database_pool_recycle_seconds,
        slow_query_seconds=settings.slow_query_seconds,
    )


def unknown_names() -> list[str]:
    """Return the ``NOWSERVING_`` names in the environment that no setting reads, most often typing errors."""
    known = {f"NOWSERVING_{name.upper()}" for name in Settings.model_fields} | set(secret_files()) | _OTHER_NAMES
    return sorted(
        name for name in os.environ if name.startswith("NOWSERVING_") and name not in known and "_TEST_" not in name
    )
