"""The host's routes and name servers."""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from netaddr import AddrFormatError, IPAddress, IPNetwork

from pyflat.dataplane.raw import attributes, dump
from pyflat.errors import BackendError

_Version: TypeAlias = Literal[4, 6]
_FAMILIES: dict[_Version, int] = {4: socket.AF_INET, 6: socket.AF_INET6}

_RESOLV_CONF = Path("/etc/resolv.conf")
_BEHIND_RESOLVED, _RESOLVED = Path("/run/systemd/resolve/resolv.conf"), IPAddress("127.0.0.53")

#: Whose a route or a neighbour is (iproute2 rt_protos has those of others).
PROTOCOL = 112

# linux/rtnetlink.h
NEW_ROUTE, DELETE_ROUTE, _RTM_GETROUTE = 24, 25, 26
_RTN_UNICAST, _MAIN_TABLE = 1, 254
_DESTINATION, _DEVICE, _MULTIPATH = 1, 4, 9
_ROUTE = struct.Struct("=BBBBBBBBI")
_HOP = struct.Struct("=HBBi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A destination and the interfaces that lead there."""

    destination: IPNetwork
    devices: frozenset[str]


def read_routes() -> list[Route]:
    """Read the routes of others to other machines, but for multicast and link-local.

    Raises BackendError.
    """
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link:
            found = [r for version in _FAMILIES for r in _routes(link, version)]
    except OSError as error:
        raise BackendError(f"routes: {error.strerror}") from error
    return [route for route in found if _is_elsewhere(route.destination.ip)]


def is_own(message: bytes) -> bool:
    """Say whether the body of a message of a kind …_ROUTE is about one of pyflat's own routes."""
    _, _, _, _, _, protocol, _, _, _ = _ROUTE.unpack_from(message)
    return bool(protocol == PROTOCOL)


def name_servers(path: Path = _RESOLV_CONF) -> tuple[IPAddress, ...]:
    """Read the addresses of the host's name servers, in the order they are asked in."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else ():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            try:
                found.append(IPAddress(words[1].partition("%")[0]))
            except (AddrFormatError, ValueError):
                continue  # the resolver leaves such a line out too
    return tuple(found)


def asked_servers() -> tuple[IPAddress, ...]:
    """Give the host's name servers as Docker reads them.

    Of systemd-resolved, whom nobody reaches from a container, those that it asks itself (moby
    ``libnetwork/resolvconf``).
    """
    found = name_servers()
    return name_servers(_BEHIND_RESOLVED) if found == (_RESOLVED,) else found


def _routes(link: socket.socket, version: _Version) -> Iterator[Route]:
    body = _ROUTE.pack(_FAMILIES[version], 0, 0, 0, 0, 0, 0, 0, 0)
    for message in dump(link, _RTM_GETROUTE, body):
        _, length, _, _, table, _, _, kind, _ = _ROUTE.unpack_from(message)
        if kind == _RTN_UNICAST and table == _MAIN_TABLE and not is_own(message):
            parts = dict(attributes(message[_ROUTE.size :]))
            first = int.from_bytes(parts.get(_DESTINATION, b""))
            devices = frozenset(_devices(parts))
            yield Route(destination=IPNetwork((first, length), version), devices=devices)


def _devices(parts: dict[int, bytes]) -> Iterator[str]:
    indexes = [int.from_bytes(parts[_DEVICE], "little")] if _DEVICE in parts else []
    hops = parts.get(_MULTIPATH, b"")
    while hops:
        length, _, _, index = _HOP.unpack_from(hops)
        indexes.append(index)
        hops = hops[(length + 3) & ~3 :]
    for index in indexes:
        try:
            yield socket.if_indextoname(index)
        except OSError:
            continue  # gone meanwhile


def _is_elsewhere(address: IPAddress) -> bool:
    return not (address.is_multicast() or address.is_link_local())
