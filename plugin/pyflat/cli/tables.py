"""Rows as people and programs read them."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from pyflat.cli.asking import Command

if TYPE_CHECKING:
    from rich.console import Console

    from pyflat.report.rows import Row

#: Characters of a line that is not written to a terminal: nothing is broken there.
_ENDLESS = 100_000


def json_option(command: Command) -> Command:
    """Give a command the flag that has it write JSON."""
    return click.option("--json", "as_json", is_flag=True, help="Write JSON.")(command)


def write_json(found: Any) -> None:
    """Write what is found, for programs."""
    click.echo(json.dumps(found, indent=2))


def write_rows(rows: Iterable["Row"], columns: Sequence[str]) -> None:
    """Write the chosen fields of rows, for people: as wide as the terminal, without it unbroken.

    There, and in a pipe, every row is one line, and what is several has commas between.
    """
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=_ENDLESS, file=sys.stdout)
    print_rows(console, rows, columns)


def print_rows(console: "Console", rows: Iterable["Row"], columns: Sequence[str]) -> None:
    """Print the chosen fields of rows on a console."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column.upper().replace("_", " "), overflow="fold")
    between = "\n" if console.is_terminal else ","
    for row in rows:
        table.add_row(*(_text(row[column], between) for column in columns))
    with console.capture() as capture:
        console.print(table, highlight=False, markup=False)
    for line in capture.get().splitlines():
        click.echo(line.rstrip(), color=True)


def _text(value: Any, between: str) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return between.join(map(str, value)) or "-"
        case _:
            return str(value) or "-"
