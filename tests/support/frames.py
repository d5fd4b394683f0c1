"""Ethernet frames, byte by byte, for what no kernel would send by itself."""

import socket
import struct

from netaddr import EUI, IPAddress

BROADCAST = "ff:ff:ff:ff:ff:ff"
UDP, ICMPV6 = socket.IPPROTO_UDP, socket.IPPROTO_ICMPV6
_IPV4, _ARP, _IPV6, _VLAN = 0x0800, 0x0806, 0x86DD, 0x8100
_REQUEST, _REPLY = 1, 2


def ethernet(mac: str, kind: int, payload: bytes) -> bytes:
    """Make a frame from a MAC to everybody."""
    return _mac(BROADCAST) + _mac(mac) + struct.pack("!H", kind) + payload


def tagged(frame: bytes, vlan: int) -> bytes:
    """Put a VLAN tag into a frame."""
    return frame[:12] + struct.pack("!HH", _VLAN, vlan) + frame[12:]


def untagged(frame: bytes) -> bytes:
    """Give a frame as a packet socket shows it: the kernel takes the VLAN tag off."""
    return frame[:12] + frame[16:] if frame[12:14] == struct.pack("!H", _VLAN) else frame


def arp(mac: str, sender: str, target: str, *, sender_mac: str = "", answer: bool = False) -> bytes:
    """Ask for an address, or answer; with the same sender and target, announce it."""
    head = struct.pack("!HHBBH", 1, _IPV4, 6, 4, _REPLY if answer else _REQUEST)
    ends = _mac(sender_mac or mac) + _ip(sender) + bytes(6) + _ip(target)
    return ethernet(mac, _ARP, head + ends)


def ipv4(mac: str, source: str, destination: str, payload: bytes) -> bytes:
    """Make a frame with a UDP datagram over IPv4."""
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, UDP, 0)
    head += _ip(source) + _ip(destination)
    return ethernet(mac, _IPV4, head[:10] + _checksum(head) + head[12:] + payload)


def ipv6(mac: str, source: str, destination: str, payload: bytes, protocol: int = UDP) -> bytes:
    """Make a frame with a packet of IPv6; the hop limit is that of neighbour discovery."""
    head = struct.pack("!IHBB", 6 << 28, len(payload), protocol, 255)
    return ethernet(mac, _IPV6, head + _ip(source) + _ip(destination) + payload)


def udp(source: int, destination: int) -> bytes:
    """Make a datagram without a checksum."""
    return struct.pack("!HHHH", source, destination, 8, 0)


def discovery(mac: str, source: str, destination: str, kind: int, body: bytes) -> bytes:
    """Make a frame with an ICMPv6 message whose body follows its checksum."""
    head = struct.pack("!BBH", kind, 0, 0)
    pseudo = struct.pack("!II", len(head + body), ICMPV6)
    checksum = _checksum(_ip(source) + _ip(destination) + pseudo + head + body)
    return ipv6(mac, source, destination, head[:2] + checksum + body, ICMPV6)


def about(target: str, flags: int = 0) -> bytes:
    """Give the body of a neighbour solicitation or advertisement."""
    return struct.pack("!I", flags) + _ip(target)


def behind_options(frame: bytes) -> bytes:
    """Put a hop-by-hop header with nothing in it before what a packet of IPv6 carries."""
    length, protocol = struct.unpack_from("!HB", frame, 18)
    head = struct.pack("!HB", length + 8, socket.IPPROTO_HOPOPTS)
    padding = struct.pack("!BBBB4x", protocol, 0, 1, 4)
    return frame[:18] + head + frame[21:54] + padding + frame[54:]


def _mac(text: str) -> bytes:
    return bytes(EUI(text).packed)


def _ip(text: str) -> bytes:
    return bytes(IPAddress(text).packed)


def _checksum(data: bytes) -> bytes:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", total ^ 0xFFFF)
