"""The command line: `nowserving`. `nowserving --help` lists the commands."""

from __future__ import annotations

import sys

from rich.markup import escape

from server.backups.errors import BackupFailed
from server.cli import clinics, data, flags, proofs, servers, state
from server.cli.root import app, error_console
from server.domain.errors import NowServingError
from server.installation.keys import BadKeys
from server.moving import MoveFailed
from server.queries.flags import BadFlags
from server.settings import BadSettings
from server.store.migrate import NewerTables, UnfinishedMove

__all__ = ["app", "main"]

# Each adds its commands to the root.
PARTS = (servers, clinics, data, flags, proofs, state)


def main() -> None:
    """Run the command line. A known error gives one line on standard error and status 1; bad settings give status 2."""
    try:
        app()
    except BadSettings as error:
        error_console.print(f"[red]The settings cannot be used.[/]\n{escape(str(error))}", highlight=False)
        sys.exit(2)
    except BadKeys as error:
        error_console.print(f"[red]{error}[/]", highlight=False, soft_wrap=True)
        sys.exit(2)
    except (BackupFailed, MoveFailed, NewerTables, UnfinishedMove, BadFlags) as error:
        error_console.print(str(error), style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)
    except NowServingError as error:
        error_console.print(f"[red]{error.message}[/]", highlight=False)
        sys.exit(1)
