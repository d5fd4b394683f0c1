"""``pyflat status``: who runs, what it has, and whether all is as it should be."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pyflat.cli.asking import read, read_topology, socket_option
from pyflat.cli.plan import DIFFERS
from pyflat.cli.tables import json_option, write_json

if TYPE_CHECKING:
    from pyflat.report.topology import ClusterView, Topology


@click.command()
@socket_option
@json_option
def status(socket: Path, as_json: bool) -> None:
    """Tell whether the plugin runs, what it has, and whether all is as it should be.

    The exit status is 0 if it is, 2 if not, 1 if no plugin answers.
    """
    found = _status(socket, read_topology(socket), read(socket, "plan"))
    if as_json:
        write_json(found)
    else:
        click.echo("\n".join(f"{title:<10}{text}" for title, text in _lines(found)))
    sys.exit(0 if found["well"] else DIFFERS)


def _status(socket: Path, topology: "Topology", plan: dict[str, Any]) -> dict[str, Any]:
    endpoints = [endpoint for network in topology.networks for endpoint in network.endpoints]
    amiss = sum(map(len, plan.values()))
    cluster = _cluster(topology.cluster)
    return {
        "version": topology.version,
        "host": topology.host,
        "socket": str(socket),
        "since": topology.since,
        "networks": len(topology.networks),
        "overlays": sum(network.tunnel is not None for network in topology.networks),
        "endpoints": len(endpoints),
        "ports": sum(len(endpoint.ports) for endpoint in endpoints),
        "pools": len(topology.pools),
        "amiss": amiss,
        "cluster": cluster,
        "well": not amiss and (cluster is None or cluster["well"]),
    }


def _cluster(view: "ClusterView | None") -> dict[str, Any] | None:
    if view is None:
        return None
    return {
        "name": view.name,
        "leased": view.leased,
        "telling": view.telling,
        "hearing": view.hearing,
        "well": view.leased and not view.telling and not view.hearing,
    }


def _lines(found: dict[str, Any]) -> list[tuple[str, str]]:
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found["since"]))
    overlays = f", {found['overlays']} of them overlays" if found["overlays"] else ""
    return [
        ("pyflat", f"{found['version']} on {found['host']}, since {since}"),
        ("socket", found["socket"]),
        ("networks", f"{found['networks']}{overlays}"),
        ("endpoints", f"{found['endpoints']}, with {found['ports']} published ports"),
        ("pools", str(found["pools"])),
        ("plan", f"{found['amiss']} amiss: pyflat plan" if found["amiss"] else "all is well"),
        *_cluster_lines(found["cluster"]),
    ]


def _cluster_lines(cluster: dict[str, Any] | None) -> list[tuple[str, str]]:
    if cluster is None:
        return [("cluster", "none")]
    lease = "leased" if cluster["leased"] else "no lease: others take this host for gone"
    trouble = [(key, cluster[key]) for key in ("telling", "hearing") if cluster[key]]
    return [("cluster", f"{cluster['name']}, {lease}"), *trouble]
