"""Follows packets through nftables: a table of our own marks them, the kernel tells their way.

The table is owned by the socket that has made it and goes with it, whatever becomes of the
process. Older kernels know no owners: there it is removed at the end, or by the next trace.
"""

import json
import os
import re
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from netaddr import IPAddress

from pyflat.dataplane.libnftables import HANDLES, JSON, TERSE, Context
from pyflat.dataplane.links import list_links
from pyflat.dataplane.raw import attributes, messages
from pyflat.errors import BackendError

#: What the tables of all traces are called, with the id of their process behind it.
PREFIX = "pyflat_why_"

# linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h
_SOL_NETLINK, _ADD_MEMBERSHIP, _NETLINK_NETFILTER = 270, 1, 12
_GROUP, _TRACE = 9, 0x0A11
_GENERAL = struct.Struct("=BBH")
_TABLE, _CHAIN, _HANDLE, _TYPE, _VERDICT, _ID = 1, 2, 3, 4, 5, 6
_NETWORK, _IN, _OUT, _POLICY = 8, 10, 12, 16
_CODE = 1
_KINDS = {1: "policy", 2: "return", 3: "rule"}
_VERDICTS = {0: "drop", 1: "accept", -1: "continue", -3: "jump", -4: "goto", -5: "return"}
_FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
_SO_RCVBUFFORCE, _BUFFER = 33, 1 << 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Packets to follow, in nftables' words, from a hook on."""

    family: str
    hook: str
    priority: int
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A rule or a chain's policy that a packet has met.

    ``source`` and ``target`` are the addresses that it had, None where they are not told: that
    is once in each chain at a hook. ``arriving`` and ``leaving`` are interfaces, "" for none.
    """

    packet: int
    family: str
    table: str
    chain: str
    kind: str
    verdict: str
    handle: int = 0
    arriving: str = ""
    leaving: str = ""
    source: IPAddress | None = None
    target: IPAddress | None = None


class Tracer:
    """Follows packets in the namespace of the thread that makes this object, until it is closed.

    Raises BackendError, StartupError where libnftables is missing.
    """

    def __init__(self, matches: Iterable[Match]) -> None:
        self._names = {link.index: link.name for link in list_links()}
        self._context = Context()
        self._link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        self._link.bind((0, 0))
        self._link.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _GROUP)
        self._link.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        self._link.setblocking(False)
        self._tables = _tables(list(matches))
        self._owned = True
        self._clear()
        try:
            self._context.run("".join(text.format("flags owner;") for text in self._tables))
        except BackendError:
            self._owned = False
            self._context.run("".join(text.format("") for text in self._tables))

    def events(self) -> list[Event]:
        """Give what has been told up to now, in its order, but for what is about the trace."""
        found: list[Event] = []
        while True:
            try:
                data = self._link.recv(1 << 18)
            except BlockingIOError:
                return [event for event in found if not event.table.startswith(PREFIX)]
            found += (
                read_event(body, self._names) for kind, body in messages(data) if kind == _TRACE
            )

    def rule(self, event: Event) -> str:
        """Give the text of an event's rule; "" if it is gone, or is a policy."""
        if not event.handle:
            return ""
        chain = f"list chain {event.family} {event.table} {event.chain}\n"
        try:
            listing = self._context.run(chain, HANDLES | TERSE)
        except BackendError:
            return ""
        found = re.search(rf"^\s*(.*) # handle {event.handle}$", listing, re.MULTILINE)
        return _plain(found[1]) if found else ""

    def close(self) -> None:
        """End the trace and leave nothing behind."""
        if not self._owned:
            self._delete(f"{PREFIX}{os.getpid()}")
        self._context.close()
        self._link.close()

    def _clear(self) -> None:
        """Remove what traces have left that were killed where tables have no owners."""
        listing = json.loads(self._context.run("list tables\n", JSON))
        for entry in listing["nftables"]:
            name = entry.get("table", {}).get("name", "")
            if name.startswith(PREFIX) and not Path("/proc", name.removeprefix(PREFIX)).exists():
                self._delete(name)

    def _delete(self, name: str) -> None:
        for family in ("inet", "bridge"):
            words = f"{family} {name}"
            self._context.run(f"add table {words}\ndelete table {words}\n")


def read_event(message: bytes, names: dict[int, str]) -> Event:
    """Read the body of a trace message; ``names`` are those of interfaces by their indexes."""
    family, _, _ = _GENERAL.unpack_from(message)
    parts = dict(attributes(message[_GENERAL.size :]))
    kind = _KINDS.get(_number(parts.get(_TYPE)), "")
    if kind == "policy":
        code = _number(parts.get(_POLICY))
    else:
        verdict = dict(attributes(parts.get(_VERDICT, b"")))
        code = int.from_bytes(verdict.get(_CODE, b""), signed=True)
    source, target = _addresses(parts.get(_NETWORK, b""))
    return Event(
        packet=_number(parts.get(_ID)),
        family=_FAMILIES.get(family, str(family)),
        table=_text(parts.get(_TABLE)),
        chain=_text(parts.get(_CHAIN)),
        kind=kind,
        verdict=_VERDICTS.get(code, "continue"),
        handle=_number(parts.get(_HANDLE)),
        arriving=names.get(_number(parts.get(_IN)), ""),
        leaving=names.get(_number(parts.get(_OUT)), ""),
        source=source,
        target=target,
    )


def _tables(matches: list[Match]) -> Iterator[str]:
    for family in dict.fromkeys(match.family for match in matches):
        chains = "".join(
            f"chain c{number} {{{{\n"
            f"type filter hook {match.hook} priority {match.priority};\n"
            f"{match.words} meta nftrace set 1\n}}}}\n"
            for number, match in enumerate(matches)
            if match.family == family
        )
        yield f"table {family} {PREFIX}{os.getpid()} {{{{\n{{}}\n{chains}}}}}\n"


def _addresses(header: bytes) -> tuple[IPAddress | None, IPAddress | None]:
    match header[:1] and header[0] >> 4:
        case 4 if len(header) >= 20:
            return _address(header[12:16], 4), _address(header[16:20], 4)
        case 6 if len(header) >= 40:
            return _address(header[8:24], 6), _address(header[24:40], 6)
    return None, None


def _address(data: bytes, version: Literal[4, 6]) -> IPAddress:
    return IPAddress(int.from_bytes(data), version)


def _plain(rule: str) -> str:
    return re.sub(r" counter packets \d+ bytes \d+", "", rule).strip()


def _number(data: bytes | None) -> int:
    return int.from_bytes(data or b"")


def _text(data: bytes | None) -> str:
    return (data or b"").rstrip(b"\0").decode()
