"""Asks the kernel, by netlink alone, for what a driver asks it for: one operation a line.

For each it writes the milliseconds until the kernel has said that all is done. It is the least
that a driver written in anything can take for the same objects: a network is a bridge with an
address; a connect is a veth pair, of which one end is moved into a namespace of its own, renamed,
addressed and put up there; N remote endpoints are an entry each in the tables of a VXLAN device and
of its bridge, and a neighbour.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from typing import TypeAlias

from pyflat.dataplane.namespace import visit_fresh
from pyflat.dataplane.raw import attribute, message, messages, nest

#: Kind, flags and body of a message.
Message: TypeAlias = tuple[int, int, bytes]

# linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h, linux/neighbour.h
_ACK, _NEW = 0x4, 0x200 | 0x400  # NLM_F_EXCL, NLM_F_CREATE
_NEW_LINK, _DELETE_LINK, _NEW_ADDRESS, _NEW_NEIGHBOUR = 16, 17, 20, 28
_LINK, _ADDRESS = struct.Struct("=BxHiII"), struct.Struct("=BBBBI")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_UP = 1
_NAME, _MASTER, _INFO, _NAMESPACE = 3, 10, 18, 28
_INFO_KIND, _INFO_DATA, _PEER, _VNI, _LEARNING = 1, 2, 1, 1, 7
_FDB, _STATIC = 0x02 | 0x04 | 0x10, 0x40

#: Numbers that no other link has.
BRIDGE, HERE, THERE, TUNNEL = 60001, 60002, 60003, 60004
#: Messages in one go: they must fit into the socket's buffer.
CROWD = 100


class Namespace:
    """A network namespace: that of the caller."""

    def __init__(self) -> None:
        self.file = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self._link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)

    def ask(self, *asked: Message) -> None:
        """Send messages in one go; returns when all are carried out. Raises OSError."""
        *others, (kind, flags, body) = asked
        crowd = [message(0, *each) for each in (*others, (kind, flags | _ACK, body))]
        self._link.send(b"".join(crowd))
        # Only the last one is answered, unless one fails.
        for _, content in messages(self._link.recv(1 << 18)):
            (code,) = struct.unpack_from("=i", content)
            if code:
                raise OSError(-code, os.strerror(-code))


def _link(index: int, flags: int = 0) -> bytes:
    return _LINK.pack(0, 0, index, flags, flags)


def _make(index: int, kind: str, *, data: bytes = b"", more: bytes = b"") -> Message:
    info = attribute(_INFO_KIND, kind.encode()) + nest(_INFO_DATA, data)
    name = attribute(_NAME, f"floor{index}\0".encode())
    return _NEW_LINK, _NEW, _link(index, _UP) + name + more + nest(_INFO, info)


def _address(index: int, address: str) -> Message:
    packed = IPv4Address(address).packed
    body = _ADDRESS.pack(socket.AF_INET, 24, 0, 0, index)
    return _NEW_ADDRESS, _NEW, body + attribute(1, packed) + attribute(2, packed)


def create(host: Namespace) -> None:
    """Make a network."""
    host.ask(_make(BRIDGE, "bridge"), _address(BRIDGE, "10.61.0.1"))


def connect(host: Namespace, sandbox: Namespace) -> None:
    """Make a pair, as a driver does, and take its end into the sandbox, as dockerd does."""
    master = attribute(_MASTER, struct.pack("=I", BRIDGE))
    peer = nest(_PEER, _link(THERE) + attribute(_NAME, b"floor\0"))
    host.ask(_make(HERE, "veth", data=peer, more=master))
    away = attribute(_NAMESPACE, struct.pack("=I", sandbox.file))
    host.ask((_NEW_LINK, 0, _link(THERE) + away))
    renamed = _link(THERE) + attribute(_NAME, b"eth0\0")
    sandbox.ask(
        (_NEW_LINK, 0, renamed),
        _address(THERE, "10.61.0.2"),
        (_NEW_LINK, 0, _link(THERE, _UP)),
    )


def delete(host: Namespace, index: int) -> None:
    """Delete a link, and with it its other end."""
    host.ask((_DELETE_LINK, 0, _link(index)))


def entries(count: int) -> Iterator[Message]:
    """Give what makes the entries of remote endpoints."""
    vtep = attribute(1, IPv4Address("192.0.2.99").packed)
    for number in range(count):
        mac = attribute(2, b"\x02\x74" + number.to_bytes(4))
        address = attribute(1, (IPv4Address("10.74.1.0") + number).packed)
        fdb = _NEIGHBOUR.pack(socket.AF_BRIDGE, TUNNEL, _STATIC | 0x02, _FDB, 0)
        yield _NEW_NEIGHBOUR, _NEW, fdb + vtep + mac
        neighbour = _NEIGHBOUR.pack(socket.AF_INET, BRIDGE, _STATIC, 0, 0)
        yield _NEW_NEIGHBOUR, _NEW, neighbour + address + mac


def learn(host: Namespace, asked: list[Message]) -> None:
    """Make a bridge with a tunnel, and entries in crowds."""
    options = attribute(_VNI, struct.pack("=I", 74)) + attribute(_LEARNING, b"\0")
    master = attribute(_MASTER, struct.pack("=I", BRIDGE))
    host.ask(_make(BRIDGE, "bridge"), _make(TUNNEL, "vxlan", data=options, more=master))
    for first in range(0, len(asked), CROWD):
        host.ask(*asked[first : first + CROWD])


def forget(host: Namespace) -> None:
    """Delete the tunnel and the bridge, with all entries."""
    delete(host, TUNNEL)
    delete(host, BRIDGE)


def main() -> None:
    """Answer until the input ends."""
    host, sandbox = Namespace(), visit_fresh(Namespace)
    # What is sent is written beforehand: the floor is the kernel's, not Python's.
    asked = list(entries(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
    operations: dict[str, Callable[[], None]] = {
        "network create": lambda: create(host),
        "network rm": lambda: delete(host, BRIDGE),
        "connect": lambda: connect(host, sandbox),
        "disconnect": lambda: delete(host, HERE),
        "learn": lambda: learn(host, asked),
        "forget": lambda: forget(host),
    }
    for line in sys.stdin:
        operation = operations[line.strip()]
        start = time.perf_counter()
        operation()
        print((time.perf_counter() - start) * 1000, flush=True)


if __name__ == "__main__":
    main()
