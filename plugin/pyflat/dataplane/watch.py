"""Notices what others do to the host's network, and tells the engine.

A thread of its own reads the kernel's notifications and waits a moment for the rest of the
crowd. It never holds up a request: what we do ourselves is told from what others do by looking
at State, without the engine's lock.
"""

import logging
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Protocol

from pyflat.dataplane.events import (
    FIREWALL_GROUPS,
    NEIGHBOUR_GROUP,
    ROUTE_GROUPS,
    Events,
    Reader,
)
from pyflat.dataplane.links import name_of
from pyflat.dataplane.namespace import Namespace
from pyflat.errors import PyflatError

log = logging.getLogger(__name__)

# linux/netlink.h and asm-generic/socket.h; not in Python's socket module.
_SOL_NETLINK, _ADD_MEMBERSHIP, _DROP_MEMBERSHIP, _NETLINK_NETFILTER = 270, 1, 2, 12
_SO_RCVBUFFORCE = 33
#: Bytes, which are only taken while they are needed: a notification takes the kernel about one
#: kilobyte, each of ten thousand remote endpoints makes several, and one that is lost has
#: everything looked at.
_BUFFER = 32 << 20

#: Seconds between an event and what is done about it: changes come in crowds.
DELAY = 0.5
#: Seconds between two looks at what no notification tells of.
UNTOLD = 1.0
#: Seconds between two looks at everything.
PERIOD = 60.0
#: Seconds until everything is looked at again after that has failed.
RETRY = 5.0
#: Seconds that an end waits for what is being mended.
PATIENCE = 3.0


class Watcher(Protocol):
    """Who is told."""

    def refresh(self) -> None:
        """Follow routes and forwarding, which may have changed."""

    def repair(self) -> None:
        """Look at everything, and mend what is not as it should be."""

    def is_drift(self, events: Events) -> bool:
        """Say whether the events have left something to mend."""

    def has_untold_drift(self) -> bool:
        """Say whether there is something to mend that no notification tells of."""

    def has_entries(self) -> bool:
        """Say whether overlays have entries in the host's namespace."""


class Watch:
    """A thread that tells the engine of changes; it ends with the process at the latest.

    What happens from the making of this object on is told, but not before ``start``.
    """

    def __init__(self, engine: Watcher) -> None:
        self._engine = engine
        self._sources = [_Source(Reader())]
        self._ended = threading.Event()
        self._end = os.eventfd(0)  # wakes the thread
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def add(self, namespace: Namespace) -> None:
        """Have what happens in a further namespace told as well; may be called by any thread."""
        reader = Reader(lambda index: namespace.run(name_of, index), inside=True)
        source = namespace.run(_Source, reader)
        source.follow_entries(True)
        self._sources.append(source)

    def start(self) -> None:
        """Begin to tell; the engine must have read its State."""
        self._thread.start()

    def end(self) -> None:
        """Tell no more; returns when the last has been told, or after a few seconds."""
        self._ended.set()
        os.eventfd_write(self._end, 1)
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        due = time.monotonic() + PERIOD
        while not self._ended.is_set():
            is_due = time.monotonic() > due
            if is_due:
                due = time.monotonic() + PERIOD
            try:
                self._look(is_due)
            except Exception as error:
                # A thread that ends would leave the host unwatched without a word.
                known = isinstance(error, PyflatError)
                log.warning("what has changed is not mended: %s", error, exc_info=not known)
                due = min(due, time.monotonic() + RETRY)

    def _look(self, is_due: bool) -> None:
        sources = list(self._sources)
        sources[0].follow_entries(self._engine.has_entries())
        heard: list[socket.socket | int] = [self._end]
        for source in sources:
            heard += source.routing, source.firewall
        if select.select(heard, (), (), UNTOLD)[0] and self._ended.wait(DELAY):
            return
        for source in sources:
            _tell(self._engine, source.take(), is_due)
            is_due = False  # everything is looked at once, wherever it is


class _Source:
    """What is told of the namespace of the thread that makes this object."""

    def __init__(self, reader: Reader) -> None:
        self.routing = _listen(socket.NETLINK_ROUTE, ROUTE_GROUPS)
        self.firewall = _listen(_NETLINK_NETFILTER, FIREWALL_GROUPS)
        self._reader = reader

    def follow_entries(self, wanted: bool) -> None:
        """Be told of neighbours, or not: on a host without overlays they would only cost."""
        change = _ADD_MEMBERSHIP if wanted else _DROP_MEMBERSHIP
        self.routing.setsockopt(_SOL_NETLINK, change, NEIGHBOUR_GROUP)

    def take(self) -> Events:
        """Give what has happened since the last time."""
        _drain(self.routing, self._reader.read_routing, self._reader)
        _drain(self.firewall, self._reader.read_firewall, self._reader)
        return self._reader.take()


def _listen(protocol: int, groups: tuple[int, ...]) -> socket.socket:
    events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
    events.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    events.bind((0, 0))
    for group in groups:
        events.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
    return events


def _tell(engine: Watcher, events: Events, is_due: bool) -> None:
    if events.routes or events.overrun:
        engine.refresh()
    everything = is_due or events.overrun or events.firewall
    if everything or engine.is_drift(events) or engine.has_untold_drift():
        engine.repair()


def _drain(events: socket.socket, read: Callable[[bytes], None], reader: Reader) -> None:
    while True:
        try:
            data = events.recv(1 << 18, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            reader.events.overrun = True  # ENOBUFS: there was more than the buffer holds
            continue
        read(data)
