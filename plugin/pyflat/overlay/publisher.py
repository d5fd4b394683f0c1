"""Tells the cluster of this host: its lease, its tunnels, its endpoints."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Set
from typing import Any, Protocol, TypeAlias

from pyflat.errors import BackendError, PyflatError
from pyflat.model import Key, Network
from pyflat.overlay.etcd import Etcd, absent
from pyflat.overlay.records import all_own_entries, host_key, is_leased, own_entries
from pyflat.state import State

log = logging.getLogger(__name__)

#: Seconds that a host is known to be there after its last sign of life.
TTL = 10
#: Seconds between two tries while the cluster does not answer.
RETRY = 1.0

_Changes: TypeAlias = Mapping[str, Any]


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
        self._tasks: queue.SimpleQueue[_Changes | int | None] = queue.SimpleQueue()
        self._pending: dict[str, Any] = {}
        self._unread: set[int] = set()
        self._lease = 0
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
        changes: dict[str, Any] = {}
        for key in touched:
            old, new = (own_entries(state, self._host, key) for state in (before, after))
            changes |= {k: new.get(k) for k in old.keys() | new.keys() if old.get(k) != new.get(k)}
            if key[0] == Network.kind and (vni := _new_vni(before, after, key)):
                self._tasks.put(vni)
        if changes:
            self._tasks.put(changes)

    def correct(self, found: Mapping[str, Any]) -> None:
        """Bring what the store was found to have of this host to what it should have."""
        wanted = all_own_entries(self._state(), self._host)
        keys = wanted.keys() | found.keys()
        self._tasks.put({k: wanted.get(k) for k in keys if wanted.get(k) != found.get(k)})

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
                        self._pending.update(task)
                task = self._tasks.get_nowait()
        except queue.Empty:
            return True

    def _hold(self) -> None:
        """Prolong the lease when a third of it is over, or begin another."""
        if self._until - time.monotonic() > TTL * 2 / 3:
            return
        sent = time.monotonic()
        if not (self._lease and self._etcd.renew(self._lease)):
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
        entries = all_own_entries(self._state(), self._host)
        self._pending = {k: v for k, v in entries.items() if is_leased(k)} | self._pending

    def _write(self) -> None:
        # A host comes last: who hears of it reads all its endpoints.
        for key in sorted(self._pending, key=is_leased):
            value = self._pending[key]
            if value is None:
                self._etcd.delete([key])
            else:
                self._etcd.put({key: value}, self._lease if is_leased(key) else None)
            del self._pending[key]

    def _read(self, reader: Reader) -> None:
        while self._unread:
            vni = next(iter(self._unread))
            reader.read(vni)
            self._unread.discard(vni)

    def _fail(self, error: str) -> None:
        if error != self._error:
            log.warning("%s; what is known of other hosts stays as it is", error)
        self._error = error


def _new_vni(before: State, after: State, key: Key) -> int | None:
    network = after.get(Network, key[1])
    return network.vni if network is not None and before.lookup(key) is None else None
