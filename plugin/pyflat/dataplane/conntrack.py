"""Forgets UDP flows that a change of published ports has made wrong.

A UDP flow has no end that conntrack could see: after a port is withdrawn its translation lives
on, and a flow seen before the port was published goes on without one. TCP connections that are
established stay, as users expect of them.

The kernel picks the UDP flows out by itself (CTA_FILTER, Linux 5.8).
"""

import socket
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from netaddr import IPAddress

from pyflat.dataplane.raw import attribute, attributes, check, dump, nest, request
from pyflat.errors import BackendError
from pyflat.model import ANY, PortBinding

# linux/netfilter/nfnetlink.h and nfnetlink_conntrack.h
_NETLINK_NETFILTER = 12
_GET, _DELETE = 0x101, 0x102
_TUPLE_ORIG, _TUPLE_REPLY, _FILTER = 1, 2, 25
_TUPLE_IP, _TUPLE_PROTO, _PROTO_NUM = 1, 2, 1
_FILTER_ORIG, _FILTER_REPLY = 1, 2
_BY_PROTOCOL = 1 << 3  # net/netfilter/nf_conntrack_netlink.c: CTA_FILTER_F_CTA_PROTO_NUM

_ACK = 0x4


@dataclass(frozen=True, slots=True)
class _Tuple:
    source: bytes
    destination: bytes
    source_port: int
    destination_port: int


def forget(ports: Collection[PortBinding]) -> None:
    """Forget the flows that lead to the ports' containers or, untranslated, to the ports.

    Raises BackendError.
    """
    try:
        for version in {port.container.version for port in ports}:
            _forget(socket.AF_INET if version == 4 else socket.AF_INET6, ports)
    except OSError as error:
        raise BackendError(f"conntrack: {error.strerror}") from error


def _forget(family: int, ports: Collection[PortBinding]) -> None:
    containers = {(port.container.packed, port.container_port) for port in ports}
    hosts = {(_packed(port.host), port.host_port) for port in ports}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as link:
        for message in list(_udp_flows(link, family)):
            parts = dict(attributes(message))
            orig, reply = _read(parts[_TUPLE_ORIG]), _read(parts[_TUPLE_REPLY])
            if (reply.source, reply.source_port) in containers or (
                _is_untranslated(orig, reply)
                and hosts
                & {(None, orig.destination_port), (orig.destination, orig.destination_port)}
            ):
                body = _family(family) + nest(_TUPLE_ORIG, parts[_TUPLE_ORIG])
                request(link, _DELETE, _ACK, body)
                check(link.recv(1 << 16))


def _packed(host: IPAddress | None) -> bytes | None:
    """Give an address as conntrack does, None for all."""
    return None if host is None or host in ANY.values() else host.packed


def _is_untranslated(orig: _Tuple, reply: _Tuple) -> bool:
    """Tell a flow that may be forgotten at no cost: it would be seen again as it was."""
    return reply == _Tuple(orig.destination, orig.source, orig.destination_port, orig.source_port)


def _udp_flows(link: socket.socket, family: int) -> Iterator[bytes]:
    protocol = nest(_TUPLE_PROTO, attribute(_PROTO_NUM, bytes([socket.IPPROTO_UDP])))
    flags = attribute(_FILTER_ORIG, struct.pack("=I", _BY_PROTOCOL))
    flags += attribute(_FILTER_REPLY, struct.pack("=I", 0))
    body = _family(family) + nest(_TUPLE_ORIG, protocol) + nest(_FILTER, flags)
    return (message[len(_family(family)) :] for message in dump(link, _GET, body))


def _family(family: int) -> bytes:
    return struct.pack("=BBH", family, 0, 0)  # struct nfgenmsg


def _read(data: bytes) -> _Tuple:
    parts = dict(attributes(data))
    # CTA_IP_V4_SRC, V4_DST, V6_SRC, V6_DST are 1 to 4; CTA_PROTO_SRC_PORT, DST_PORT 2 and 3.
    addresses, protocol = (
        dict(attributes(parts[_TUPLE_IP])),
        dict(attributes(parts[_TUPLE_PROTO])),
    )
    return _Tuple(
        source=addresses.get(1) or addresses[3],
        destination=addresses.get(2) or addresses[4],
        source_port=int.from_bytes(protocol[2]),
        destination_port=int.from_bytes(protocol[3]),
    )
