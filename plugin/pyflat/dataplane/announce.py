"""Tells neighbours that an address is behind another MAC (RFC 5227, section 3; RFC 4861, 7.2.6)."""

import errno
import socket
import struct

from netaddr import IPAddress

from pyflat.dataplane.checksum import checksum
from pyflat.errors import BackendError

ARP, _IPV6 = 0x0806, 0x86DD
_REQUEST, _REPLY = 1, 2
BROADCAST = b"\xff" * 6
_ALL_NODES_MAC, _ALL_NODES = b"\x33\x33\0\0\0\1", IPAddress("ff02::1")
_ICMPV6, _ADVERTISEMENT, _OVERRIDE, _TARGET_MAC = 58, 136, 0x20000000, 2


def announce(device: str, address: IPAddress, mac: str) -> None:
    """Send it to all ports of a bridge in the namespace of this thread.

    A port that answers for known neighbours passes none of it on. A bridge that is gone has
    nobody to be told. Raises BackendError.
    """
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
            link.bind((device, 0))
            for frame in frames(address, bytes.fromhex(mac.replace(":", ""))):
                link.send(frame)
    except OSError as error:
        if error.errno not in {errno.ENODEV, errno.ENETDOWN, errno.ENXIO}:
            raise BackendError(f"announce {address} on {device}: {error.strerror}") from error


def frames(address: IPAddress, mac: bytes) -> list[bytes]:
    """Write what announces an address: in IPv4 both ways, as some hosts heed only one."""
    if address.version == 4:
        return [_arp(operation, address.packed, mac) for operation in (_REQUEST, _REPLY)]
    return [_advertisement(address, mac)]


def _arp(operation: int, address: bytes, mac: bytes) -> bytes:
    head = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
    target = BROADCAST if operation == _REPLY else bytes(6)
    return ethernet(BROADCAST, mac, ARP) + head + mac + address + target + address


def _advertisement(address: IPAddress, mac: bytes) -> bytes:
    target = address.packed + struct.pack("!BB", _TARGET_MAC, 1) + mac
    body = struct.pack("!BBHI", _ADVERTISEMENT, 0, 0, _OVERRIDE) + target
    pseudo = address.packed + _ALL_NODES.packed + struct.pack("!II", len(body), _ICMPV6)
    checked = body[:2] + checksum(pseudo + body) + body[4:]
    # The hop limit shows that no router has passed it on.
    head = struct.pack("!IHBB", 6 << 28, len(body), _ICMPV6, 255)
    frame = head + address.packed + _ALL_NODES.packed + checked
    return ethernet(_ALL_NODES_MAC, mac, _IPV6) + frame


def ethernet(destination: bytes, source: bytes, kind: int) -> bytes:
    """Write the header of a frame."""
    return destination + source + struct.pack("!H", kind)
