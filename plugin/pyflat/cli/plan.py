"""``pyflat plan``: how the host's network differs from what it should be."""

import sys
from pathlib import Path
from typing import Any

import click

from pyflat.cli.asking import read, socket_option
from pyflat.cli.tables import json_option, write_json

#: Exit status where there is a difference; 0 is none and 1 an error.
DIFFERS = 2


@click.command()
@socket_option
@json_option
def plan(socket: Path, as_json: bool) -> None:
    """Show what pyflat would mend now; change nothing.

    The status is 0 if all is as it should be, 2 if not, 1 if no plugin answers.
    """
    found = read(socket, "plan")
    if as_json:
        write_json(found)
    else:
        click.echo("\n".join(_lines(found)))
    sys.exit(DIFFERS if any(found.values()) else 0)


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [f"{wrong}: {what}" for wrong, items in found.items() for what in items]
    return lines or ["nothing to do: everything is as it should be"]
