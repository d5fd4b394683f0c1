"""How large a packet may be on its way to another host, found out by sending some.

What a router says of it may be lost on the way, or never be said: only answers count.
"""

import errno
import os
import socket
import struct
import time
from collections.abc import Callable

from netaddr import IPAddress

from pyflat.dataplane.checksum import checksum
from pyflat.errors import BackendError

#: Seconds that an answer may take, and how often one is asked for.
PATIENCE, TRIES = 0.5, 2

# linux/in.h, linux/in6.h: packets are not cut up, whatever is believed of the path
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _IPV6_DONTFRAG, _PROBE = 10, 23, 62, 3
_HEADER = {4: 20, 6: 40}
#: What every path takes (RFC 791, RFC 8200).
SMALLEST = {4: 576, 6: 1280}
_REQUEST, _REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}
_ECHO = struct.Struct("!BBHHH")


def largest(passes: Callable[[int], bool], smallest: int, wanted: int) -> int | None:
    """Give the size of the largest packet that passes, at most the wanted one.

    None if not even the smallest does: then nothing can be said.
    """
    if passes(wanted):
        return wanted
    if not passes(smallest):
        return None
    low, high = smallest, wanted - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if passes(middle) else (low, middle - 1)
    return low


def passes(source: IPAddress, target: IPAddress, size: int, *, patience: float = PATIENCE) -> bool:
    """Say whether an echo of so many bytes, with its IP header, comes back whole.

    Each try has so many seconds. Raises BackendError where none can be sent.
    """
    try:
        with _open(source) as link:
            tries = range(TRIES)
            return any(_echo(link, target, size, number, patience) for number in tries)
    except OSError as error:
        if error.errno == errno.EMSGSIZE:
            return False
        raise BackendError(f"echo to {target}: {error.strerror}") from error


def _open(source: IPAddress) -> socket.socket:
    if source.version == 4:
        link = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        link.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PROBE)
    else:
        link = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        link.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PROBE)
        link.setsockopt(socket.IPPROTO_IPV6, _IPV6_DONTFRAG, 1)
    link.bind((str(source), 0))
    return link


def _echo(link: socket.socket, target: IPAddress, size: int, number: int, patience: float) -> bool:
    version = target.version
    mark = os.getpid() & 0xFFFF
    payload = os.urandom(8) + bytes(size - _HEADER[version] - _ECHO.size - 8)
    head = _ECHO.pack(_REQUEST[version], 0, 0, mark, number)
    if version == 4:  # the kernel does it for IPv6
        head = head[:2] + checksum(head + payload) + head[4:]
    link.sendto(head + payload, (str(target), 0))
    end = time.monotonic() + patience
    while (left := end - time.monotonic()) > 0:
        link.settimeout(left)
        try:
            data = link.recv(1 << 16)
        except TimeoutError:
            return False
        # Of IPv4, the header is there as well.
        answer = data[(data[0] & 15) * 4 :] if version == 4 else data
        if answer[0] == _REPLY[version] and answer[_ECHO.size :] == payload:
            return True
    return False
