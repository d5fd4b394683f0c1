"""Adds and deletes an element of a map of published ports by netlink alone: one a line.

Its arguments are commands of nft that make the map "this" of table "inet bench". A line is a verb
and the element's number; for each it writes the milliseconds until the kernel has answered.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from ipaddress import IPv4Address

from pyflat.dataplane.libnftables import Context
from pyflat.dataplane.raw import attribute, message, messages, nest

# linux/netfilter/nfnetlink.h, nf_tables.h
_NETFILTER, _NFTABLES = 12, 10
_BEGIN, _END, _ACK, _CREATE = 0x10, 0x11, 0x4, 0x400
_VERBS = {"add": 12, "delete": 14}
_TABLE, _SET, _ELEMENTS, _ITEM, _KEY, _DATA, _VALUE = 1, 2, 3, 1, 1, 2, 1
_INET = 1

#: Each field of a concatenation takes four bytes or a multiple of it.
_KEYS, _VALUES = struct.Struct(">B3x4sH2x"), struct.Struct(">4sH2x")


def transaction(verb: str, number: int) -> bytes:
    """Write a transaction about the element of this number: tcp . 10.0.0.0 . number."""
    address = IPv4Address("10.0.0.0").packed
    key = nest(_KEY, attribute(_VALUE, _KEYS.pack(socket.IPPROTO_TCP, address, number)))
    data = nest(_DATA, attribute(_VALUE, _VALUES.pack(address, 80))) if verb == "add" else b""
    body = (
        struct.pack("=BBH", _INET, 0, 0)
        + attribute(_TABLE, b"bench\0")
        + attribute(_SET, b"this\0")
        + nest(_ELEMENTS, nest(_ITEM, key + data))
    )
    batch = struct.pack("=BBH", 0, 0, socket.htons(_NFTABLES))
    kind, flags = _NFTABLES << 8 | _VERBS[verb], _ACK | (_CREATE if verb == "add" else 0)
    return message(0, _BEGIN, 0, batch) + message(1, kind, flags, body) + message(2, _END, 0, batch)


def main() -> None:
    """Answer until the input ends."""
    binding = Context()
    for command in sys.argv[1:]:
        binding.run(command)
    binding.close()
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
    for line in sys.stdin:
        verb, number = line.split()
        sent = transaction(verb, int(number))
        start = time.perf_counter()
        link.send(sent)
        answer = link.recv(1 << 16)
        taken = (time.perf_counter() - start) * 1000
        for _, content in messages(answer):
            (code,) = struct.unpack_from("=i", content)
            if code:
                raise OSError(-code, os.strerror(-code))
        print(taken, flush=True)


if __name__ == "__main__":
    main()
