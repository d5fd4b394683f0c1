"""The types of sets and maps that grow with networks and ports, and commands for them. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address

TABLE = "inet bench"


@dataclass(frozen=True, slots=True)
class Shape:
    """A type of set or map. Its elements are numbered from 0 on, and no two of them overlap."""

    name: str
    declaration: str
    key: Callable[[int], str]
    data: Callable[[int], str] | None = None
    """What an element of a map leads to; a set has none."""

    def declare(self, name: str) -> str:
        """Write the command that makes a set or map of this shape."""
        kind = "map" if self.data else "set"
        return f"add {kind} {TABLE} {name} {{ {self.declaration}; }}"

    def add(self, name: str, numbers: range) -> str:
        """Write the command that adds elements."""
        return f"add element {TABLE} {name} {{ {', '.join(map(self._element, numbers))} }}"

    def delete(self, name: str, numbers: range) -> str:
        """Write the command that deletes elements."""
        return f"delete element {TABLE} {name} {{ {', '.join(map(self.key, numbers))} }}"

    def _element(self, number: int) -> str:
        return f"{self.key(number)} : {self.data(number)}" if self.data else self.key(number)


def _host(number: int) -> str:
    return str(IPv4Address("10.0.0.0") + number)


def _subnet(number: int) -> str:
    return f"{_host(256 * number)}/24"


def _port_of_host(number: int) -> str:
    address, port = divmod(number, 5000)
    return f"tcp . {_host(address)} . {port + 1}"


def _ports_of_host(number: int) -> str:
    address, place = divmod(number, 5000)
    return f"tcp . {_host(address)} . {10 * place + 1}-{10 * place + 9}"


HASH = Shape(
    "hash, protocol . address . port",
    "type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service",
    key=_port_of_host,
    data=lambda number: f"{_host(number)} . 80",
)

ADDRESSES = Shape("intervals, address", "type ipv4_addr; flags interval", key=_subnet)

#: Those of pyflat's rules, and ADDRESSES, which others use for long lists.
SHAPES = (
    HASH,
    ADDRESSES,
    Shape(
        "intervals, interface . address",
        "type ifname . ipv4_addr; flags interval",
        key=lambda number: f'"pf-{number:012x}" . {_subnet(number)}',
    ),
    Shape(
        "intervals, protocol . address . ports",
        "type inet_proto . ipv4_addr . inet_service : ipv4_addr; flags interval",
        key=_ports_of_host,
        data=_host,
    ),
    Shape(
        "intervals, protocol . ports",
        "type inet_proto . inet_service : ipv4_addr; flags interval",
        key=lambda number: f"tcp . {6 * number + 1}-{6 * number + 4}",
        data=_host,
    ),
)
