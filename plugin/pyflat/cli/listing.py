"""``pyflat networks``, ``endpoints``, ``ports``, ``peers``, ``pools`` and ``options``."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pyflat.cli.asking import read_topology, socket_option
from pyflat.cli.tables import json_option, write_json, write_rows

if TYPE_CHECKING:
    from pyflat.report.rows import Naming
    from pyflat.report.topology import NetworkView

#: Gives a command the names of networks, as the parameter ``wanted``.
networks_argument = click.argument("wanted", metavar="[NETWORK]...", nargs=-1)


def naming() -> "Naming":
    """Give the names that Docker has for things; ids where there is no Docker to ask."""
    from pyflat.docker_api import Names, is_there, names
    from pyflat.errors import BackendError
    from pyflat.report.rows import Naming

    try:
        return Naming(names() if is_there() else Names())
    except BackendError:
        return Naming(Names())


@click.command()
@socket_option
@json_option
@networks_argument
def networks(socket: Path, as_json: bool, wanted: tuple[str, ...]) -> None:
    """List the networks of this host, or those that are named."""
    from pyflat.report.rows import network_rows

    columns = ("network", "kind", "subnets", "bridge", "endpoints", "remotes")
    _list(socket, as_json, wanted, network_rows, columns)


@click.command()
@socket_option
@json_option
@networks_argument
def endpoints(socket: Path, as_json: bool, wanted: tuple[str, ...]) -> None:
    """List the containers' connections, of all networks or of those that are named."""
    from pyflat.report.rows import endpoint_rows

    columns = ("network", "container", "addresses", "mac", "host_end")
    _list(socket, as_json, wanted, endpoint_rows, columns)


@click.command()
@socket_option
@json_option
@networks_argument
def ports(socket: Path, as_json: bool, wanted: tuple[str, ...]) -> None:
    """List the published ports, which docker ps cannot show.

    HOST is an address of the host, 0.0.0.0 or :: for all of them.
    """
    from pyflat.report.rows import port_rows, spans

    columns = ("network", "container", "protocol", "host", "host_port", "address", "port")
    _list(socket, as_json, wanted, port_rows, columns, spans)


@click.command()
@socket_option
@json_option
@networks_argument
def peers(socket: Path, as_json: bool, wanted: tuple[str, ...]) -> None:
    """List the other hosts of overlays, and what this host knows of them."""
    from pyflat.report.rows import peer_rows

    columns = ("network", "vni", "host", "vtep", "heard", "endpoints", "blocks")
    _list(socket, as_json, wanted, peer_rows, columns)


@click.command()
@socket_option
@json_option
def pools(socket: Path, as_json: bool) -> None:
    """List the pools that pyflat gives out addresses of."""
    from pyflat.report.rows import pool_rows

    rows = list(pool_rows(read_topology(socket)))
    if as_json:
        write_json(rows)
    else:
        write_rows(rows, ("pool", "range", "used", "size", "blocks"))


@click.command()
@json_option
def options(as_json: bool) -> None:
    """List what docker network create -d pyflat -o understands; needs no plugin that runs."""
    from pyflat.report.rows import option_rows

    rows = list(option_rows())
    if as_json:
        write_json(rows)
        return
    for row in rows:
        click.secho(row["option"], bold=True)
        default = f"; {row['default']} if not given" if row["default"] else ""
        click.echo(click.wrap_text(f"{row['allowed']}{default}", 78, "    ", "    "))
        click.echo(click.wrap_text(row["meaning"], 78, "    ", "    "))


def _list(
    socket: Path,
    as_json: bool,
    wanted: tuple[str, ...],
    rows_of: Callable[..., Any],
    columns: tuple[str, ...],
    brief: Callable[..., Any] = list,
) -> None:
    from pyflat.report.rows import chosen

    topology, names = read_topology(socket), naming()
    networks: list[NetworkView] = chosen(topology, names, wanted)
    rows = list(rows_of(networks, names))
    if as_json:
        write_json(rows)
    else:
        write_rows(brief(rows), columns)
