"""Tells the cluster of this host: its lease, its tunnels, its endpoints."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Set
from typing import Any, Protocol

from pyflat.errors import BackendError, PyflatError
from pyflat.model import Key, Network
from pyflat.overlay.etcd import Etcd, absent
from pyflat.overlay.records import all_own_entries, host_key, is_leased, own_entries, own_value
from pyflat.state import State

log = logging.getLogger(__name__)

#: Seconds that a host is known to be there after its last sign of life.
TTL = 10
#: Seconds between two tries while the cluster does not answer.
RETRY = 1.0


class Reader(Protocol):
    """Who reads what other hosts have told."""

    def read(self, vni: int) -> None:
        """Read everything of a network. Raises BackendError."""


class Publisher:
    """A thread that writes what this host has to tell, and prolongs its lease.

    ``state`` gives the present State, ``identity`` tells this host from another of its name.
    """

    def __init__(self, etcd: Etcd, host: str, identity: str, state: Callable[[], State]) -> None:
        self._etcd = etcd
        self._host = host
        self._identity = identity
        self._state = state
        self._tasks: queue.SimpleQueue[set[str] | int | None] = queue.SimpleQueue()
        self._unwritten: set[str] = set()
        self._unread: set[int] = set()
        self._lease = 0
        self._removed = False
        self._until = 0.0
        self._error = ""

    @property
    def error(self) -> str:
        """Tell why the cluster cannot be told, "" if it can."""
        return self._error

    def lease(self) -> int:
        """Give the number of this host's lease, 0 while it may be over."""
        return self._lease if time.monotonic() < self._until else 0

    def start(self, reader: Reader) -> None:
        """Begin; ``reader`` is asked to read what a new network of this host needs."""
        threading.Thread(target=self._run, args=(reader,), name="publisher", daemon=True).start()

    def end(self) -> None:
        """End soon; the lease stays until it is over, as containers do."""
        self._tasks.put(None)

    def follow(self, before: State, touched: Set[Key]) -> None:
        """Note what a commit changes in what is told; returns at once."""
        after = self._state()
        for key in touched:
            old, new = (own_entries(state, self._host, key) for state in (before, after))
            if changed := _different(old, new):
                self._tasks.put(changed)
            if key[0] == Network.kind and (vni := _new_vni(before, after, key)):
                self._tasks.put(vni)

    def correct(self, found: Mapping[str, Any]) -> None:
        """Bring what the store was found to have of this host to what it should have."""
        self._tasks.put(_different(found, all_own_entries(self._state(), self._host)))

    def begin_again(self) -> None:
        """Write everything of this host anew, under another lease: somebody has removed it."""
        self._removed = True
        self._tasks.put(set())

    def read_later(self, vni: int) -> None:
        """Have everything of a network read by this thread."""
        self._tasks.put(vni)

    def _run(self, reader: Reader) -> None:
        while self._take():
            try:
                self._hold()
                self._write()
                self._read(reader)
                self._error = ""
            except PyflatError as error:
                self._fail(str(error))
            except Exception:
                log.exception("the cluster is not told")
                self._fail("internal error")

    def _take(self) -> bool:
        """Wait for something to do, and collect all of it; false at the end."""
        wait = RETRY if self._error else max(0.0, self._until - time.monotonic() - TTL * 2 / 3)
        try:
            task = self._tasks.get(timeout=wait)
            while True:
                match task:
                    case None:
                        return False
                    case int():
                        self._unread.add(task)
                    case _:
                        self._unwritten |= task
                task = self._tasks.get_nowait()
        except queue.Empty:
            return True

    def _hold(self) -> None:
        """Prolong the lease when a third of it is over or may be lost, or begin another."""
        is_due = self._until - time.monotonic() <= TTL * 2 / 3
        if not (is_due or self._removed or self._error):
            return
        sent = time.monotonic()
        if self._removed or not (self._lease and self._etcd.renew(self._lease)):
            self._removed = False
            self._begin()
        self._until = sent + TTL

    def _begin(self) -> None:
        lease = self._etcd.grant(TTL)
        key, value = host_key(self._host), {"identity": self._identity}
        if not self._etcd.transact([absent(key)], put={key: value}, lease=lease):
            if (found := self._etcd.get(key)) != value and found is not None:
                self._etcd.revoke(lease)
                raise BackendError(
                    f"cluster {self._etcd}: another host is called {self._host} already; "
                    "give this one a name of its own by PYFLAT_HOST"
                )
            self._etcd.put({key: value}, lease)
        self._lease = lease
        self._unwritten |= all_own_entries(self._state(), self._host).keys()

    def _write(self) -> None:
        # The host comes last: who hears of it misses every endpoint that is not there yet.
        for leased in (False, True):
            keys = {key for key in self._unwritten if is_leased(key) == leased}
            values = {key: own_value(self._state(), self._host, key) for key in keys}
            there = {key: value for key, value in values.items() if value is not None}
            self._etcd.put(there, self._lease if leased else None)
            self._etcd.delete(keys - there.keys())
            self._unwritten -= keys

    def _read(self, reader: Reader) -> None:
        while self._unread:
            vni = next(iter(self._unread))
            reader.read(vni)
            self._unread.discard(vni)

    def _fail(self, error: str) -> None:
        if error != self._error:
            log.warning("%s; what is known of other hosts stays as it is", error)
        self._error = error


def _different(one: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    return {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}


def _new_vni(before: State, after: State, key: Key) -> int | None:
    network = after.get(Network, key[1])
    return network.vni if network is not None and before.lookup(key) is None else None
