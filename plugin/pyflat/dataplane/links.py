"""What the kernel says of interfaces and their addresses, in listings and in events."""

import errno
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from netaddr import IPAddress

from pyflat.addressing import InterfaceAddress
from pyflat.dataplane.raw import attribute, attributes, dump, receive, request
from pyflat.errors import BackendError

# linux/rtnetlink.h
NEW_LINK, DELETE_LINK, _GET_LINK = 16, 17, 18
NEW_ADDRESS, DELETE_ADDRESS, _GET_ADDRESS = 20, 21, 22

# linux/if_link.h: IFLA_…, IFLA_INFO_… and IFLA_BRPORT_…
_MAC, _NAME, _MTU, _LOWER, _MASTER, _LINK_INFO, _TRAFFIC = 1, 3, 4, 5, 10, 18, 23
_ALIAS, _GROUP, _PEER_NAMESPACE = 20, 27, 37
_KIND, _DATA, _PORT_DATA, _PORT_MODE = 1, 2, 5, 4
# IFLA_VXLAN_…
_VNI, _GROUP4, _UNDERLAY, _LOCAL4, _LEARNING, _PORT, _GROUP6, _LOCAL6 = 1, 2, 3, 4, 7, 15, 16, 17

_IFA_ADDRESS = 1  # linux/if_addr.h
_UP = 1  # linux/if.h: IFF_UP

_LINK = struct.Struct("=BxHiII")  # struct ifinfomsg
_COUNTERS = struct.Struct("=4Q16x2Q")  # the beginning of struct rtnl_link_stats64
_ADDRESS = struct.Struct("=BBBBI")  # struct ifaddrmsg


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkInfo:
    """One interface; ``master`` is the index of its bridge, or 0.

    ``lower`` is the index of the other end of a veth pair, in the namespace where that is, and of
    what a tunnel or a VLAN lies on; ``peer_is_away`` says of a veth pair that its other end is in
    another namespace; ``data`` is what only links of its kind have.
    """

    index: int
    name: str
    kind: str
    mac: str
    mtu: int
    master: int
    lower: int
    alias: str
    group: int
    up: bool
    hairpin: bool
    peer_is_away: bool
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What an interface has received and sent since it was made, and what of that was dropped.

    ``index`` is the interface's, ``peer`` that of its other end, 0 if it has none.
    """

    index: int
    peer: int
    received_packets: int
    sent_packets: int
    received_bytes: int
    sent_bytes: int
    received_drops: int
    sent_drops: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressInfo:
    """One address of the interface with an index."""

    index: int
    address: InterfaceAddress


def list_links() -> list[LinkInfo]:
    """Read all interfaces. Raises BackendError."""
    with _open() as link:
        return [read_link(message) for message in dump(link, _GET_LINK, bytes(_LINK.size))]


def open_links() -> socket.socket:
    """Make a socket that asks for the interfaces of this thread's namespace. Raises OSError."""
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)


def list_traffic(make: Callable[[], socket.socket] = open_links) -> dict[str, Traffic]:
    """Read the counters of all interfaces where a socket is made. Raises BackendError."""
    with _open(make) as link:
        return dict(map(_read_traffic, dump(link, _GET_LINK, bytes(_LINK.size))))


def find_link(name: str) -> LinkInfo | None:
    """Read one interface; None if there is none of that name. Raises BackendError."""
    with _open() as link:
        body = bytes(_LINK.size) + attribute(_NAME, name.encode() + b"\0")
        request(link, _GET_LINK, 0, body)
        try:
            return read_link(receive(link))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return None
            raise


def list_addresses() -> list[AddressInfo]:
    """Read the addresses of all interfaces, but for link-local ones. Raises BackendError."""
    with _open() as link:
        found = map(read_address, dump(link, _GET_ADDRESS, bytes(_ADDRESS.size)))
        return [info for info in found if not info.address.ip.is_link_local()]


def read_link(message: bytes) -> LinkInfo:
    """Read the body of a message of a kind …_LINK."""
    _, _, index, flags, _ = _LINK.unpack_from(message)
    parts = dict(attributes(message[_LINK.size :]))
    info = dict(attributes(parts.get(_LINK_INFO, b"")))
    port = dict(attributes(info.get(_PORT_DATA, b"")))
    return LinkInfo(
        index=index,
        name=_text(parts.get(_NAME, b"")),
        kind=_text(info.get(_KIND, b"")),
        mac=parts.get(_MAC, b"").hex(":"),
        mtu=_number(parts.get(_MTU, b"")),
        master=_number(parts.get(_MASTER, b"")),
        lower=_number(parts.get(_LOWER, b"")),
        alias=_text(parts.get(_ALIAS, b"")),
        group=_number(parts.get(_GROUP, b"")),
        up=bool(flags & _UP),
        hairpin=bool(_number(port.get(_PORT_MODE, b""))),
        peer_is_away=_PEER_NAMESPACE in parts,
        data=info.get(_DATA, b""),
    )


def read_vxlan(data: bytes, find_name: Callable[[int], str]) -> dict[str, Any]:
    """Read what only a VXLAN device has, under the names that ``Vxlan`` has for it.

    ``find_name`` names an interface by its index, where the device was made.
    """
    parts = dict(attributes(data))
    return {
        "vni": _number(parts.get(_VNI, b"")),
        "underlay": find_name(_number(parts.get(_UNDERLAY, b""))),
        "local": _address(parts.get(_LOCAL4) or parts.get(_LOCAL6)),
        "group": _address(parts.get(_GROUP4) or parts.get(_GROUP6)),
        "port": int.from_bytes(parts.get(_PORT, b"")),
        "learning": bool(_number(parts.get(_LEARNING, b""))),
    }


def read_address(message: bytes) -> AddressInfo:
    """Read the body of a message of a kind …_ADDRESS."""
    family, length, _, _, index = _ADDRESS.unpack_from(message)
    parts = dict(attributes(message[_ADDRESS.size :]))
    number = int.from_bytes(parts[_IFA_ADDRESS])
    address = IPAddress(number, 4 if family == socket.AF_INET else 6)
    return AddressInfo(index=index, address=InterfaceAddress(f"{address}/{length}"))


def index_of(name: str) -> int:
    """Give the index of an interface of this thread's namespace; 0 if there is none."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return 0


def name_of(index: int) -> str:
    """Give the name of an interface of this thread's namespace; "" if there is none."""
    try:
        return socket.if_indextoname(index)
    except OSError:
        return ""


def _read_traffic(message: bytes) -> tuple[str, Traffic]:
    _, _, index, _, _ = _LINK.unpack_from(message)
    parts = dict(attributes(message[_LINK.size :]))
    numbers = _COUNTERS.unpack_from(parts[_TRAFFIC])
    return _text(parts[_NAME]), Traffic(
        index=index,
        peer=_number(parts.get(_LOWER, b"")),
        received_packets=numbers[0],
        sent_packets=numbers[1],
        received_bytes=numbers[2],
        sent_bytes=numbers[3],
        received_drops=numbers[4],
        sent_drops=numbers[5],
    )


@contextmanager
def _open(make: Callable[[], socket.socket] = open_links) -> Iterator[socket.socket]:
    try:
        with make() as link:
            yield link
    except OSError as error:
        raise BackendError(f"interfaces: {error.strerror}") from error


def _address(data: bytes | None) -> IPAddress | None:
    if data is None or not any(data):
        return None
    return IPAddress(int.from_bytes(data), 4 if len(data) == 4 else 6)


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode(errors="replace")


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")
