"""Netlink listings without a parser: only what is asked for is taken apart.

pyroute2 takes every message apart, 0.3 ms each; a host may have a thousand routes and
a hundred thousand connections.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator

_REQUEST, _DUMP = 0x1, 0x300
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_NESTED = 0x8000


def message(number: int, kind: int, flags: int, body: bytes) -> bytes:
    """Write a request; what answers it bears its number."""
    return _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, number, 0) + body


def request(link: socket.socket, kind: int, flags: int, body: bytes) -> None:
    """Send one message."""
    link.send(message(1, kind, flags, body))


def dump(link: socket.socket, kind: int, body: bytes) -> Iterator[bytes]:
    """Ask for a listing and give its messages without their headers. Raises OSError."""
    request(link, kind, _DUMP, body)
    while True:
        data = link.recv(1 << 18)
        check(data)
        for answer, content in messages(data):
            if answer == _DONE:
                return
            yield content


def receive(link: socket.socket) -> bytes:
    """Give the one message that answers a request, without its header. Raises OSError."""
    data = link.recv(1 << 18)
    check(data)
    ((_, content),) = messages(data)
    return content


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Give kind and content of each message in what was received."""
    while len(data) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(data)
        yield kind, data[_HEADER.size : length]
        data = data[max(_HEADER.size, (length + 3) & ~3) :]


def check(data: bytes) -> None:
    """Raise OSError if a message says so; what is gone already is no error."""
    _, kind, *_ = _HEADER.unpack_from(data)
    if kind == _ERROR:
        (code,) = struct.unpack_from("=i", data, _HEADER.size)
        if -code not in {0, errno.ENOENT}:
            raise OSError(-code, os.strerror(-code))


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Give the kind and content of each attribute."""
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        yield kind & ~_NESTED, data[_ATTRIBUTE.size : length]
        data = data[max(_ATTRIBUTE.size, (length + 3) & ~3) :]


def attribute(kind: int, data: bytes) -> bytes:
    """Write an attribute."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(data), kind) + data + bytes(-len(data) % 4)


def nest(kind: int, data: bytes) -> bytes:
    """Write an attribute that holds attributes."""
    return attribute(kind | _NESTED, data)
