"""Topology as lists of rows, as the command line shows them. Pure.

A row has the same fields whatever it holds; what is not there is "", 0 or empty.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pyflat.docker_api import Names
from pyflat.driver.options import OPTIONS
from pyflat.errors import NotFound
from pyflat.report.topology import EndpointView, NetworkView, Topology

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Naming:
    """Names for people: Docker's where it tells them, else the first characters of ids."""

    names: Names

    def network(self, network: NetworkView) -> str:
        """Name a network."""
        return self.names.networks.get(network.id) or network.id[:12]

    def container(self, endpoint: EndpointView) -> str:
        """Name the container of an endpoint."""
        told = (self.names.containers.get(endpoint.id), *endpoint.names, endpoint.id[:12])
        return next(filter(None, told))


def chosen(topology: Topology, naming: Naming, wanted: Sequence[str]) -> list[NetworkView]:
    """Give the networks with these names or starts of ids, or all if none is named, by name.

    Raises NotFound.
    """
    ids = {network.id for name in wanted for network in _matching(topology, naming, name)}
    found = (network for network in topology.networks if not wanted or network.id in ids)
    return sorted(found, key=lambda network: natural(naming.network(network)))


def by_name(network: NetworkView, naming: Naming) -> list[tuple[str, EndpointView]]:
    """Give the containers of a network with their names, in the order of these."""
    named = ((naming.container(endpoint), endpoint) for endpoint in network.endpoints)
    return sorted(named, key=lambda pair: (natural(pair[0]), pair[1].id))


def natural(name: str) -> list[tuple[str, int]]:
    """Give what sorts c2 before c10."""
    return [(text, int(number or -1)) for text, number in re.findall(r"(\D*)(\d*)", name)]


def network_rows(networks: Iterable[NetworkView], naming: Naming) -> Iterator[Row]:
    """Tell of each network what it is and how much it has."""
    for network in networks:
        yield {
            "network": naming.network(network),
            "id": network.id,
            "bridge": network.bridge,
            "subnets": [subnet.cidr for subnet in network.subnets],
            "gateways": [subnet.gateway for subnet in network.subnets if subnet.gateway],
            "kind": _kind(network),
            "vni": network.tunnel.vni if network.tunnel else 0,
            "internal": network.internal,
            "modes": network.modes,
            "mtu": network.mtu,
            "masquerade": network.masquerade,
            "icc": network.icc,
            "antispoof": network.antispoof,
            "ports": network.ports,
            "endpoints": len(network.endpoints),
            "remotes": len(network.remotes),
        }


def endpoint_rows(networks: Iterable[NetworkView], naming: Naming) -> Iterator[Row]:
    """Tell of each container's connection where it is and how it is reached."""
    for network in networks:
        for container, endpoint in by_name(network, naming):
            yield {
                "network": naming.network(network),
                "container": container,
                "addresses": list(endpoint.addresses),
                "mac": endpoint.mac,
                "host_end": endpoint.host_end,
                "ports": len(endpoint.ports),
                "names": list(endpoint.names),
                "sandbox": endpoint.sandbox,
                "id": endpoint.id,
            }


def port_rows(networks: Iterable[NetworkView], naming: Naming) -> Iterator[Row]:
    """Tell of each published port where it is reached and where it leads to."""
    for network in networks:
        for container, endpoint in by_name(network, naming):
            about = {"network": naming.network(network), "container": container}
            for row in _ports(endpoint):
                yield {**about, **row, "endpoint": endpoint.id}


def spans(rows: Iterable[Row]) -> list[Row]:
    """Write neighbouring ports of one container in one row, as 7000-7099."""
    found: list[Row] = []
    lengths: list[int] = []
    for row in rows:
        if found and row == _after(found[-1], lengths[-1]):
            lengths[-1] += 1
        else:
            found.append(row)
            lengths.append(1)
    pairs = zip(found, lengths, strict=True)
    return [row if length == 1 else _span(row, length) for row, length in pairs]


def pool_rows(topology: Topology) -> Iterator[Row]:
    """Tell of each pool what is given out of it."""
    for pool in topology.pools:
        yield {
            "pool": pool.cidr,
            "range": pool.part,
            "used": pool.used,
            "size": pool.size,
            "blocks": list(pool.blocks),
            "space": pool.space,
            "automatic": pool.automatic,
            "references": pool.references,
        }


def peer_rows(networks: Iterable[NetworkView], naming: Naming) -> Iterator[Row]:
    """Tell of each other host of each overlay what is known of it."""
    for network in networks:
        for peer in network.peers:
            theirs = [remote for remote in network.remotes if remote.host == peer.host]
            yield {
                "network": naming.network(network),
                "vni": network.tunnel.vni if network.tunnel else 0,
                "host": peer.host,
                "vtep": peer.vtep,
                "heard": not peer.expired,
                "endpoints": len(theirs),
                "blocks": list(peer.blocks),
                "containers": [
                    {
                        "name": remote.names[0] if remote.names else remote.id[:12],
                        "addresses": list(remote.addresses),
                        "mac": remote.mac,
                        "id": remote.id,
                    }
                    for remote in theirs
                ],
                "expired": peer.expired,
            }


def option_rows() -> Iterator[Row]:
    """Tell of each ``-o`` option what it may be, and what holds without it."""
    for key, option in sorted(OPTIONS.items()):
        yield {
            "option": key,
            "allowed": option.allowed,
            "default": option.default,
            "meaning": option.meaning,
        }


def published(endpoint: EndpointView) -> Iterator[str]:
    """Write the published ports of a container, as 127.0.0.1:8080->80/tcp.

    A star stands for all addresses of both families.
    """
    hosts: dict[str, list[str]] = {}
    for row in spans(_ports(endpoint)):
        inner = f"{row['port']}/{row['protocol']}"
        leads = f"{row['host_port']}->{inner}" if row["host_port"] else inner
        hosts.setdefault(leads, []).append(row["host"])
    for leads, found in hosts.items():
        for host in _starred(found):
            yield f"{host}:{leads}" if host else leads


def _starred(hosts: list[str]) -> list[str]:
    everywhere = {"0.0.0.0", "::"}
    if everywhere <= set(hosts):
        hosts = ["*", *(host for host in hosts if host not in everywhere)]
    return [f"[{host}]" if ":" in host else host for host in dict.fromkeys(hosts)]


def _ports(endpoint: EndpointView) -> list[Row]:
    """Give the ports of a container, neighbouring ones one after the other."""
    rows: list[Row] = [
        {
            "protocol": port.protocol,
            "host": port.host,
            "host_port": port.host_port,
            "address": port.container,
            "port": port.container_port,
        }
        for port in endpoint.ports
    ]
    return sorted(rows, key=lambda row: tuple(row.values()))


def _matching(topology: Topology, naming: Naming, name: str) -> list[NetworkView]:
    found = [n for n in topology.networks if naming.network(n) == name]
    found = found or [n for n in topology.networks if n.id.startswith(name)]
    if not found:
        raise NotFound(f"network {name} is not one of pyflat's on this host")
    return found


def _kind(network: NetworkView) -> str:
    words = ["internal"] if network.internal else []
    if network.tunnel:
        words.append(f"overlay {network.tunnel.vni}")
    modes = dict.fromkeys(network.modes.values())
    return " ".join(words or modes)


def _after(row: Row, length: int) -> Row:
    """Give what the next row is if it goes on with the ports of this one."""
    moved = {"port": row["port"] + length}
    if row["host_port"]:
        moved["host_port"] = row["host_port"] + length
    return row | moved


def _span(row: Row, length: int) -> Row:
    numbers = {key: row[key] for key in ("host_port", "port") if row[key]}
    return row | {key: f"{first}-{first + length - 1}" for key, first in numbers.items()}
