"""``pyflat forget``: drop a record that dockerd will never release."""

from pathlib import Path

import click

from pyflat.cli.asking import ask, socket_option

KINDS = ("network", "endpoint", "pool", "address", "host")


@click.command()
@socket_option
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
def forget(socket: Path, kind: str, name: str) -> None:
    """Drop a record that Docker will never release; what lives is refused.

    NAME is the id of a network or an endpoint or its first characters, a pool's subnet, an
    address that no endpoint has, or another host of the cluster that will not come back.
    """
    if kind == "host":
        ask(socket, "Pyflat.ForgetHost", Name=name)
    else:
        ask(socket, "Pyflat.Forget", Kind=kind, Name=name)
    click.echo(f"forgot {kind} {name}")
