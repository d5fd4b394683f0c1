"""Published ports on ::1, which the kernel cannot translate: relayed by a program of systemd's.

An answer to ::1 would have to come in by a bridge, and the kernel drops what comes from anywhere
but the loopback interface (net/ipv6/ip6_input.c). So the held socket listens, and with the first
connection ``systemd-socket-proxyd`` is started on it; it ends when nothing has come for a while.
"""

import logging
import os
import select
import socket
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from netaddr import IPAddress

from pyflat.dataplane import nobody

log = logging.getLogger(__name__)

PROGRAM = Path("/lib/systemd/systemd-socket-proxyd")
IDLE = "60s"

_BACKLOG = 128
_ONCE = select.EPOLLIN | select.EPOLLONESHOT


@dataclass(slots=True)
class _Served:
    listener: socket.socket
    target: str
    process: subprocess.Popen[bytes] | None = None


class Relays:
    """A thread that starts a relay for each socket that somebody connects to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._poll = select.epoll()
        self._served: dict[int, _Served] = {}
        self._ends: dict[int, int] = {}
        self._thread: threading.Thread | None = None

    @staticmethod
    def possible() -> bool:
        """Say whether this host has the program."""
        return PROGRAM.exists()

    def serve(self, listener: socket.socket, address: IPAddress, port: int) -> None:
        """Listen, and relay connections to an address and port. Raises OSError."""
        # Connections inherit it: none keeps the port when it is over. A port that somebody listens
        # on is shared with nobody all the same.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.listen(_BACKLOG)
        with self._lock:
            self._served[listener.fileno()] = _Served(listener, f"{address}:{port}")
            self._poll.register(listener, _ONCE)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
                self._thread.start()

    def end(self, listener: socket.socket) -> None:
        """Relay no more; the socket can be closed then, and its port is free."""
        with self._lock:
            served = self._served.pop(listener.fileno(), None)
            if served is None:
                return
            self._poll.unregister(listener)
            self._stop(served)

    def _run(self) -> None:
        while True:
            for descriptor, _ in self._poll.poll():
                with self._lock:
                    if descriptor in self._ends:
                        self._ended(descriptor)
                    elif descriptor in self._served:
                        self._start(self._served[descriptor])

    def _start(self, served: _Served) -> None:
        descriptor = served.listener.fileno()
        idle = f"--exit-idle-time={IDLE}"
        words = nobody.command(descriptor, str(PROGRAM), idle, served.target)
        try:
            served.process = subprocess.Popen(words, pass_fds=[descriptor])
            end = os.pidfd_open(served.process.pid)
        except OSError as error:
            log.warning("no relay to %s: %s", served.target, error)
            self._stop(served)
            _refuse_all(served.listener)
            self._poll.modify(descriptor, _ONCE)
            return
        self._ends[end] = descriptor
        self._poll.register(end, select.EPOLLIN)

    @staticmethod
    def _stop(served: _Served) -> None:
        if served.process is not None:
            served.process.kill()
            served.process.wait()
            served.process = None

    def _ended(self, end: int) -> None:
        descriptor = self._ends.pop(end)
        os.close(end)
        served = self._served.get(descriptor)
        if served is None or served.process is None or served.process.poll() is None:
            return  # the socket was closed meanwhile, and another has its number perhaps
        if served.process.returncode:
            log.warning("the relay to %s failed (%d)", served.target, served.process.returncode)
            _refuse_all(served.listener)
        served.process = None
        self._poll.modify(descriptor, _ONCE)


def _refuse_all(listener: socket.socket) -> None:
    """Close the connections that wait, or the next program would fail at once as well."""
    listener.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
