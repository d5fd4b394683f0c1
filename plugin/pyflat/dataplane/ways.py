"""Where this thread's namespace sends a packet: the route, and who the next hop is."""

import socket
import struct
from dataclasses import dataclass

from netaddr import IPAddress

from pyflat.dataplane.links import name_of
from pyflat.dataplane.raw import attribute, attributes, dump, receive, request

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

# linux/rtnetlink.h
_GET_ROUTE, _GET_NEIGHBOUR = 26, 30
_ROUTE = struct.Struct("=BBBBBBBBI")
_TO, _FROM, _IN, _OUT, _GATEWAY, _SOURCE = 1, 2, 3, 4, 5, 7
_LOCAL = 2  # RTN_LOCAL

# linux/neighbour.h
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_ADDRESS, _MAC = 1, 2
_STATES = {
    0x01: "incomplete",
    0x02: "reachable",
    0x04: "stale",
    0x08: "delay",
    0x10: "probe",
    0x20: "failed",
    0x40: "noarp",
    0x80: "permanent",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A route's answer; without a ``gateway`` the address is on the link of ``device``.

    ``local`` says that the address is this namespace's own.
    """

    device: str
    source: IPAddress | None
    gateway: IPAddress | None
    local: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NextHop:
    """What is known of a neighbour: the kernel's word for its state, and its MAC or ""."""

    state: str
    mac: str

    @property
    def silent(self) -> bool:
        """Say whether nobody has answered for the address."""
        return self.state in {"incomplete", "failed", "none"}


def find_way(address: IPAddress, *, source: IPAddress | None = None, arriving_by: int = 0) -> Way:
    """Ask for the route to an address.

    With ``source`` and ``arriving_by``, the index of an interface, that of a packet which is
    forwarded. Raises OSError where there is none.
    """
    length = 8 * len(address.packed)
    sent = 8 * len(source.packed) if source else 0
    body = _ROUTE.pack(_FAMILIES[address.version], length, sent, 0, 0, 0, 0, 0, 0)
    body += attribute(_TO, address.packed)
    if source:
        body += attribute(_FROM, source.packed)
    if arriving_by:
        body += attribute(_IN, arriving_by.to_bytes(4, "little"))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link:
        request(link, _GET_ROUTE, 0, body)
        answer = receive(link)
    parts = dict(attributes(answer[_ROUTE.size :]))
    return Way(
        device=name_of(int.from_bytes(parts.get(_OUT, b""), "little")),
        source=_address(parts.get(_SOURCE)),
        gateway=_address(parts.get(_GATEWAY)),
        local=_ROUTE.unpack_from(answer)[7] == _LOCAL,
    )


def find_neighbour(device: str, address: IPAddress) -> NextHop:
    """Give what is known of a neighbour on a link; its state is "none" for nothing.

    Raises OSError.
    """
    index = socket.if_nametoindex(device)
    body = _NEIGHBOUR.pack(_FAMILIES[address.version], 0, 0, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link:
        for message in dump(link, _GET_NEIGHBOUR, body):
            _, found, state, _, _ = _NEIGHBOUR.unpack_from(message)
            parts = dict(attributes(message[_NEIGHBOUR.size :]))
            if found == index and parts.get(_ADDRESS) == address.packed:
                mac = parts.get(_MAC, b"").hex(":")
                return NextHop(state=_STATES.get(state, "none"), mac=mac)
    return NextHop(state="none", mac="")


def _address(data: bytes | None) -> IPAddress | None:
    return IPAddress(int.from_bytes(data), 4 if len(data) == 4 else 6) if data else None
