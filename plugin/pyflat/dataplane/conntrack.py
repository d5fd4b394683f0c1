"""Forgets UDP flows that a change of published ports has made wrong.

A UDP flow has no end that conntrack could see: after a port is withdrawn its translation lives
on, and a flow seen before the port was published goes on without one. TCP connections that are
established stay, as users expect of them.

Spoken raw: the kernel picks the UDP flows out by itself (CTA_FILTER, Linux 5.8), where pyroute2
would list and parse every connection of the host.
"""

import errno
import os
import socket
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from netaddr import IPAddress

from pyflat.errors import BackendError

# linux/netfilter/nfnetlink.h and nfnetlink_conntrack.h
_NETLINK_NETFILTER = 12
_NEW, _GET, _DELETE = 0x100, 0x101, 0x102
_TUPLE_ORIG, _TUPLE_REPLY, _FILTER = 1, 2, 25
_TUPLE_IP, _TUPLE_PROTO, _PROTO_NUM = 1, 2, 1
_FILTER_ORIG, _FILTER_REPLY = 1, 2
_BY_PROTOCOL = 1 << 3  # net/netfilter/nf_conntrack_netlink.c: CTA_FILTER_F_CTA_PROTO_NUM

_REQUEST, _ACK, _DUMP, _NESTED = 0x1, 0x4, 0x300, 0x8000
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHIIBBH")
_ATTRIBUTE = struct.Struct("=HH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Udp:
    """A published UDP port: ``host`` is None if it is published on every address."""

    host: IPAddress | None
    host_port: int
    container: IPAddress
    container_port: int


@dataclass(frozen=True, slots=True)
class _Tuple:
    source: bytes
    destination: bytes
    source_port: int
    destination_port: int


def forget(ports: Collection[Udp]) -> None:
    """Forget the flows that lead to the ports' containers or, untranslated, to the ports.

    Raises BackendError.
    """
    try:
        for version in {port.container.version for port in ports}:
            _forget(socket.AF_INET if version == 4 else socket.AF_INET6, ports)
    except OSError as error:
        raise BackendError(f"conntrack: {error.strerror}") from error


def _forget(family: int, ports: Collection[Udp]) -> None:
    containers = {(port.container.packed, port.container_port) for port in ports}
    hosts = {(port.host.packed if port.host else None, port.host_port) for port in ports}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as link:
        for message in list(_udp_flows(link, family)):
            attributes = dict(_attributes(message))
            orig, reply = _read(attributes[_TUPLE_ORIG]), _read(attributes[_TUPLE_REPLY])
            if (reply.source, reply.source_port) in containers or (
                _is_untranslated(orig, reply)
                and hosts
                & {(None, orig.destination_port), (orig.destination, orig.destination_port)}
            ):
                _request(link, _DELETE, _ACK, family, _nest(_TUPLE_ORIG, attributes[_TUPLE_ORIG]))
                _check(link.recv(1 << 16))


def _is_untranslated(orig: _Tuple, reply: _Tuple) -> bool:
    """Tell a flow that may be forgotten at no cost: it would be seen again as it was."""
    return reply == _Tuple(orig.destination, orig.source, orig.destination_port, orig.source_port)


def _udp_flows(link: socket.socket, family: int) -> Iterator[bytes]:
    protocol = _nest(_TUPLE_PROTO, _attribute(_PROTO_NUM, bytes([socket.IPPROTO_UDP])))
    flags = _attribute(_FILTER_ORIG, struct.pack("=I", _BY_PROTOCOL))
    flags += _attribute(_FILTER_REPLY, struct.pack("=I", 0))
    body = _nest(_TUPLE_ORIG, protocol) + _nest(_FILTER, flags)
    _request(link, _GET, _DUMP, family, body)
    while True:
        data = link.recv(1 << 18)
        while data:
            length, kind, *_ = _HEADER.unpack_from(data)
            if kind == _DONE:
                return
            _check(data)
            yield data[_HEADER.size : length]
            data = data[(length + 3) & ~3 :]


def _check(data: bytes) -> None:
    (kind,) = struct.unpack_from("=H", data, 4)
    if kind == _ERROR:
        (code,) = struct.unpack_from("=i", data, 16)
        if -code not in {0, errno.ENOENT}:  # gone by itself meanwhile
            raise OSError(-code, os.strerror(-code))


def _request(link: socket.socket, kind: int, flags: int, family: int, body: bytes) -> None:
    length = _HEADER.size + len(body)
    link.send(_HEADER.pack(length, kind, _REQUEST | flags, 1, 0, family, 0, 0) + body)


def _attribute(kind: int, data: bytes) -> bytes:
    padding = bytes(-len(data) % 4)
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(data), kind) + data + padding


def _nest(kind: int, data: bytes) -> bytes:
    return _attribute(kind | _NESTED, data)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        yield kind & ~_NESTED, data[_ATTRIBUTE.size : length]
        data = data[max(4, (length + 3) & ~3) :]


def _read(data: bytes) -> _Tuple:
    parts = dict(_attributes(data))
    # CTA_IP_V4_SRC, V4_DST, V6_SRC, V6_DST are 1 to 4; CTA_PROTO_SRC_PORT, DST_PORT 2 and 3.
    addresses, protocol = (
        dict(_attributes(parts[_TUPLE_IP])),
        dict(_attributes(parts[_TUPLE_PROTO])),
    )
    return _Tuple(
        source=addresses.get(1) or addresses[3],
        destination=addresses.get(2) or addresses[4],
        source_port=int.from_bytes(protocol[2]),
        destination_port=int.from_bytes(protocol[3]),
    )
