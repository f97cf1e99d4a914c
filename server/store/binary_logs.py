"""The binary logs of a database server: whether each change behind a backup can be repeated from them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

_ACCESS_DENIED = (1044, 1227)
_SWITCH, _KEPT = "log_bin", "binlog_expire_logs_seconds"
_WANTED = {  # the values with which a log can be repeated; a server knows some of these names
    _SWITCH: "ON",
    "binlog_format": "ROW",
    "binlog_encryption": "OFF",
    "encrypt_binlog": "OFF",
    "binlog_transaction_compression": "OFF",
    "log_bin_compress": "OFF",
}


@dataclass(frozen=True, slots=True)
class BinaryLogs:
    """The binary logs of a server. ``wrong`` has the settings that prevent a repeat, by name.

    ``place`` is where the next change goes, or None if the server writes no logs. If the account may not see it, ``grant``
    is the statement that gives it this right. ``kept_seconds`` is the age at which the server deletes a log; 0 stands for
    never.
    """

    wrong: dict[str, str]
    place: str | None
    grant: str
    kept_seconds: int

    @property
    def on(self) -> bool:
        """Whether the server was started with binary logs."""
        return _SWITCH not in self.wrong

    @property
    def usable(self) -> bool:
        """Whether each change goes to a log from which it can be repeated, as far as the account may see."""
        return not self.wrong and (self.place is not None or bool(self.grant))

    @property
    def settings(self) -> str:
        """The first wrong setting and its remedy, in English. Empty without one."""
        named = ((name, value) for name, value in self.wrong.items())
        return next((f"{name}={value}; set {name}={_WANTED[name]}" for name, value in named), "")


async def look(connection: AsyncConnection) -> BinaryLogs:
    """Return the binary logs of a server of the MySQL family. A read of two statements, which locks nothing."""
    names = ", ".join(f"'{each}'" for each in (*_WANTED, _KEPT))
    rows = await connection.exec_driver_sql(f"SHOW GLOBAL VARIABLES WHERE variable_name IN ({names})")
    values = {str(row.Variable_name): str(row.Value) for row in rows}
    wrong = {name: values[name] for name, wanted in _WANTED.items() if values.get(name, wanted) != wanted}
    place, grant = None, ""
    try:
        place = await place_of(connection)
    except DBAPIError as error:
        if error_number(error) not in _ACCESS_DENIED:
            raise
        right = "BINLOG MONITOR" if _is_mariadb(connection) else "REPLICATION CLIENT"
        grant = f"GRANT {right} ON *.* TO '{connection.engine.url.username}'@'%';"
    return BinaryLogs(wrong, place, grant, int(values.get(_KEPT, "0")))


async def place_of(connection: AsyncConnection) -> str | None:
    """Return the file and the byte where the next change goes, like ``log.000002:418``. None: no log is written."""
    named_later = not _is_mariadb(connection) and (connection.dialect.server_version_info or ()) >= (8, 2)
    statement = "SHOW BINARY LOG STATUS" if named_later else "SHOW MASTER STATUS"
    row: Row[*tuple[object, ...]] | None = (await connection.exec_driver_sql(statement)).one_or_none()
    return None if row is None else f"{row[0]}:{row[1]}"


def error_number(error: DBAPIError) -> object:
    """Return the number that the MySQL family gave an error, or None."""
    return error.orig.args[0] if error.orig is not None and error.orig.args else None


def _is_mariadb(connection: AsyncConnection) -> bool:
    return bool(getattr(connection.dialect, "is_mariadb", False))
