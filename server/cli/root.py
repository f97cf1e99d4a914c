"""The root of the command line: the groups of commands, and the consoles that they print to."""

from __future__ import annotations

from typing import TypeVar

import structlog
import typer
from rich.console import Console

T = TypeVar("T")

logger = structlog.get_logger(__name__)

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Now Serving: the same true queue on every screen.")

audit_commands = typer.Typer(no_args_is_help=True, help="The hash chains of the site logs and the audit.")

app.add_typer(audit_commands, name="audit")

key_commands = typer.Typer(no_args_is_help=True, help="The keys that encrypt personal data.")

app.add_typer(key_commands, name="keys")

clock_commands = typer.Typer(help="The clock of the database.")

app.add_typer(clock_commands, name="clock")

flag_commands = typer.Typer(no_args_is_help=True, help="The flags: capabilities that a rule switches for some sites.")

app.add_typer(flag_commands, name="flag")

error_console = Console(stderr=True)

console = Console()
