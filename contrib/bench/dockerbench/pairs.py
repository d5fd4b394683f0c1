"""Two containers of one network, on one host or two, and the ways from one to the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from dockerbench.api import Engine, Port
from dockerbench.places import Place, serve
from dockerbench.sides import Side
from dockerlab.host import Host

#: The server's port, and the port of the host that it may be published at.
SERVED, PUBLISHED = 9000, 19000

#: Where a client is, and the address and port that it asks.
Way: TypeAlias = tuple[Place, tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Pair:
    """A client and a server, which answers."""

    host: Host
    """That of the client."""
    client: Place
    server: Place
    address: str
    """The server's own."""

    @property
    def inner(self) -> Way:
        """From the client to the server itself, within the network."""
        return self.client, (self.address, SERVED)

    @property
    def hairpin(self) -> Way:
        """From the client to the published port, by an address of the host."""
        return self.client, (self.host.address4, PUBLISHED)

    @property
    def loopback(self) -> Way:
        """From the host to the published port, by 127.0.0.1."""
        return Place(self.host), ("127.0.0.1", PUBLISHED)

    @property
    def own(self) -> Way:
        """From the host to the published port, by an address of its own."""
        return Place(self.host), (self.host.address4, PUBLISHED)

    def outside(self, client: Place) -> Way:
        """From elsewhere to the published port."""
        return client, (self.host.address4, PUBLISHED)


def start(
    docker: Engine,
    host: Host,
    network: str,
    driver: str,
    subnet: str,
    ports: Sequence[Port] = (),
    **fields: Any,
) -> Pair:
    """Make a network and its two containers; `ports` are the server's that are published."""
    docker.create_network(network, driver, subnet, **fields)
    client = _container(docker, host, f"{network}-client", network)
    server = _container(docker, host, f"{network}-server", network, ports)
    serve(server, SERVED)
    networks = docker.inspect(f"{network}-server")["NetworkSettings"]["Networks"]
    return Pair(host, client, server, networks[network]["IPAddress"])


def across(side: Side, network: str, client: str, server: str) -> Pair:
    """Start a container of each of these addresses in a network of two hosts."""
    ours, theirs = (
        _container(docker, host, f"{network}-{name}", network, address=address)
        for docker, host, name, address in zip(
            side.engines, side.hosts, ("client", "server"), (client, server), strict=True
        )
    )
    serve(theirs, SERVED)
    return Pair(side.hosts[0], ours, theirs, server)


def _container(
    docker: Engine,
    host: Host,
    name: str,
    network: str,
    ports: Sequence[Port] = (),
    address: str = "",
) -> Place:
    docker.create_container(name, network, ports, address=address)
    docker.start(name)
    return Place(host, docker.inspect(name)["State"]["Pid"])
