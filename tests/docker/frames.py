"""A program for any machine: sends packets in frames that its own kernel would not send.

``frames.py INTERFACE MAC``, and lines of ``PROTOCOL SOURCE PORT DESTINATION PORT``; each goes to
the MAC as the first packet of a TCP connection or as a UDP packet, whatever its destination is.
``frames.py ADDRESS PORT VNI MAC`` sends them through a tunnel of VXLAN to a host's end of it.
"""

import socket
import struct
import sys
from collections.abc import Callable
from ipaddress import ip_address

_SYN = 2
_HAS_VNI = 0x08  # RFC 7348, section 5
_STRANGE = bytes.fromhex("020000009999")


def _packet(protocol: str, source: str, sport: int, target: str, dport: int) -> tuple[int, bytes]:
    """An Ethernet type and what follows it."""
    addresses = ip_address(source).packed + ip_address(target).packed
    number = socket.IPPROTO_UDP if protocol == "udp" else socket.IPPROTO_TCP
    segment = _udp(sport, dport) if protocol == "udp" else _tcp(sport, dport)
    at = 6 if protocol == "udp" else 16
    total = _checksum(addresses + struct.pack("!II", len(segment), number) + segment)
    segment = segment[:at] + struct.pack("!H", total) + segment[at + 2 :]
    if ":" in target:
        return 0x86DD, struct.pack("!IHBB", 6 << 28, len(segment), number, 64) + addresses + segment
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0, 64, number, 0)
    total = _checksum(head + addresses)
    return 0x0800, head[:10] + struct.pack("!H", total) + addresses + segment


def _udp(sport: int, dport: int) -> bytes:
    return struct.pack("!HHHH", sport, dport, 12, 0) + b"who\n"


def _tcp(sport: int, dport: int) -> bytes:
    return struct.pack("!HHIIBBHHH", sport, dport, 1, 0, 5 << 4, _SYN, 64240, 0, 0)


def _checksum(data: bytes) -> int:
    """RFC 1071; the pseudo-header of IPv6 sums up to that of IPv4."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def main(*words: str) -> None:
    *where, mac = words
    send, own = _tunnel(*where) if len(where) > 1 else _wire(*where)
    macs = bytes.fromhex(mac.replace(":", "")) + own
    for line in sys.stdin:
        protocol, source, sport, target, dport = line.split()
        kind, packet = _packet(protocol, source, int(sport), target, int(dport))
        send(macs + struct.pack("!H", kind) + packet)


def _wire(interface: str) -> tuple[Callable[[bytes], object], bytes]:
    """What sends a frame, and the MAC that it comes from."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((interface, 0))
    return wire.send, wire.getsockname()[4]


def _tunnel(address: str, port: str, vni: str) -> tuple[Callable[[bytes], object], bytes]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    tunnel = socket.socket(family, socket.SOCK_DGRAM)
    tunnel.connect((address, int(port)))
    head = struct.pack("!II", _HAS_VNI << 24, int(vni) << 8)
    return lambda frame: tunnel.send(head + frame), _STRANGE


if __name__ == "__main__":
    main(*sys.argv[1:])
