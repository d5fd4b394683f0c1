"""One packet, really sent, and what comes back."""

import errno
import select
import socket
import struct
from enum import StrEnum

from pyflat.dataplane.path import passes
from pyflat.report.why.flow import Flow

#: Seconds that an answer may take: a lost SYN is sent again after one.
PATIENCE = 1.6
#: Bytes of an echo request that fits everywhere, with its headers.
_ECHO = 84
_RESET = struct.pack("ii", 1, 0)  # struct linger: a connection is ended at once


class Outcome(StrEnum):
    """What became of it."""

    ANSWERED = "answered"
    REFUSED = "refused"
    SILENT = "silent"
    UNREACHABLE = "unreachable"


def send(flow: Flow) -> Outcome:
    """Send a flow's first packet from this thread's namespace, and wait for an answer.

    TCP connects and ends the connection at once. Raises OSError where nothing can be sent.
    """
    if not flow.port:
        return Outcome.ANSWERED if passes(flow.source, flow.target, _ECHO) else Outcome.SILENT
    family = socket.AF_INET if flow.version == 4 else socket.AF_INET6
    kind = socket.SOCK_STREAM if flow.protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(family, kind) as link:
        link.bind((str(flow.source), 0))
        link.setblocking(False)
        link.connect_ex((str(flow.target), flow.port))
        if flow.protocol == "tcp":
            return _connected(link)
        link.send(b"\n")
        return _answered(link)


def _connected(link: socket.socket) -> Outcome:
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    _, ready, _ = select.select((), (link,), (), PATIENCE)
    return _outcome(link.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)) if ready else SILENT


def _answered(link: socket.socket) -> Outcome:
    ready, _, _ = select.select((link,), (), (), PATIENCE)
    if not ready:
        return SILENT
    try:
        link.recv(1 << 16)
    except OSError as error:
        return _outcome(error.errno or 0)
    return Outcome.ANSWERED


def _outcome(error: int) -> Outcome:
    if not error:
        return Outcome.ANSWERED
    return Outcome.REFUSED if error == errno.ECONNREFUSED else Outcome.UNREACHABLE


SILENT = Outcome.SILENT
