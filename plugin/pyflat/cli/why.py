"""``pyflat why``: where a packet ends, and what ends it."""

import sys
from pathlib import Path

import click

from pyflat.cli.asking import read_topology, socket_option
from pyflat.cli.listing import naming
from pyflat.cli.tables import json_option, write_json

#: Exit status where no answer comes; 1 is an error.
UNANSWERED = 2


@click.command()
@socket_option
@json_option
@click.argument("source")
@click.argument("target")
def why(socket: Path, as_json: bool, source: str, target: str) -> None:
    """Send one packet from SOURCE to TARGET, follow it, and say where it ends.

    SOURCE is a container, by name, address or the start of its endpoint's id, "host", or "outside":
    then a packet from elsewhere is waited for. TARGET
    is NAME, NAME:PORT or NAME:PORT/udp; NAME may be an address, "host" or "outside", and is
    looked up by the source's own resolver. Without a port an echo request is sent.

    The status is 0 if an answer comes, 2 if not, 1 for an error. Needs root.
    """
    import msgspec

    from pyflat.report.why.inquiry import why as find_out

    story = find_out(read_topology(socket), naming(), source, target, _notify)
    if as_json:
        write_json(msgspec.to_builtins(story))
    else:
        click.echo(f"{story.source} → {story.target}")
        for step in story.steps:
            click.echo(f"  {step.step:<11}{step.text}")
        click.secho(f"  {story.end:<11}{story.text}", bold=True)
        if story.remedy:
            click.echo(f"  {'':<11}→ {story.remedy}")
    sys.exit(0 if story.end == "answered" else UNANSWERED)


def _notify(text: str) -> None:
    click.echo(text, err=True)
