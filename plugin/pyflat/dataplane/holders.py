"""Who on a bridge says that an address is his (RFC 5227, section 2.1.1: ARP probes)."""

import socket
import struct
import time
from collections.abc import Collection

from netaddr import IPAddress

from pyflat.dataplane.announce import ARP, BROADCAST, ethernet
from pyflat.dataplane.links import find_link
from pyflat.errors import BackendError

#: Seconds in which who has an address has to say so.
PATIENCE = 0.5

_REQUEST, _REPLY = 1, 2
_HEAD = struct.Struct("!HHBBH")
_BODY = struct.Struct("!6s4s6s4s")
_ETHERNET = 14


def holders(device: str, addresses: Collection[IPAddress]) -> dict[IPAddress, set[str]]:
    """Ask all ports of a bridge for IPv4 addresses, and give the MACs that answer for each.

    The bridge is one of this thread's namespace. Nobody learns anything from the question.
    Raises BackendError or OSError.
    """
    found: dict[IPAddress, set[str]] = {address: set() for address in addresses}
    mac = _mac(device)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP)) as link:
        link.bind((device, ARP))
        for address in addresses:
            link.send(_probe(mac, address))
        end = time.monotonic() + PATIENCE
        while (left := end - time.monotonic()) > 0:
            link.settimeout(left)
            try:
                frame = link.recv(1 << 16)
            except TimeoutError:
                break
            if answer := _answer(frame):
                address, holder = answer
                if address in found:
                    found[address].add(holder)
    return found


def _mac(device: str) -> bytes:
    link = find_link(device)
    if link is None:
        raise BackendError(f"there is no bridge {device}")
    return bytes.fromhex(link.mac.replace(":", ""))


def _probe(mac: bytes, address: IPAddress) -> bytes:
    head = _HEAD.pack(1, 0x0800, 6, 4, _REQUEST)
    body = _BODY.pack(mac, bytes(4), bytes(6), address.packed)
    return ethernet(BROADCAST, mac, ARP) + head + body


def _answer(frame: bytes) -> tuple[IPAddress, str] | None:
    arp = frame[_ETHERNET:]
    if len(arp) < _HEAD.size + _BODY.size or _HEAD.unpack_from(arp)[-1] != _REPLY:
        return None
    mac, address, _, _ = _BODY.unpack_from(arp, _HEAD.size)
    return IPAddress(int.from_bytes(address), 4), mac.hex(":")
