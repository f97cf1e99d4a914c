"""The collation of every table on the MySQL family: binary, and without padding.

MySQL and MariaDB name it differently, and `utf8mb4_bin` of both ignores spaces at the end of a text.
"""

from __future__ import annotations

from sqlalchemy import Connection


def no_pad(connection: Connection) -> str | None:
    """Return the name of the collation on this server, for the tables of a migration; None on SQLite, which never pads."""
    if connection.dialect.name == "sqlite":
        return None
    return "utf8mb4_nopad_bin" if getattr(connection.dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
