"""The control plane of etcd: this host among others, under a lease."""

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Protocol

from pyflat.model import Key
from pyflat.overlay import follower
from pyflat.overlay.access import Addresses
from pyflat.overlay.etcd import Etcd
from pyflat.overlay.farewell import forget_host
from pyflat.overlay.follower import Announce, Follower
from pyflat.overlay.publisher import Publisher
from pyflat.state import State


class Engine(follower.Engine, Protocol):
    """The one that carries changes out, and tells of each commit."""

    def subscribe(self, follower: Callable[[State, Set[Key]], None]) -> None:
        """Have a follower told of every commit from now on."""


@dataclass(frozen=True, slots=True)
class Status:
    """How a host stands with its cluster; both texts are "" while all is well."""

    cluster: str
    host: str
    leased: bool
    telling: str
    hearing: str


class Cluster:
    """Tells others of this host and hears of them; ends with the process at the latest."""

    def __init__(
        self,
        etcd: Etcd,
        addresses: Addresses,
        host: str,
        identity: str,
        engine: Engine,
        announce: Announce,
    ) -> None:
        self._etcd = etcd
        self._engine = engine
        self._host = host
        self._publisher = Publisher(etcd, host, identity, lambda: engine.state)
        self._follower = Follower(etcd, host, engine, self._publisher, announce, addresses.resolve)
        engine.subscribe(self._publisher.follow)
        engine.subscribe(self._follower.follow)

    def start(self) -> None:
        """Begin; the engine must have read its State."""
        self._publisher.start(self._follower)
        self._follower.start()

    def end(self) -> None:
        """End soon; other hosts forget this one only after its lease and the grace."""
        self._publisher.end()
        self._follower.end()

    def lease(self) -> int:
        """Give the number of this host's lease, 0 while it may be over."""
        return self._publisher.lease()

    def forget(self, host: str) -> None:
        """Forget another host that will not come back. Raises PyflatError."""
        forget_host(self._etcd, self._engine, host)

    def status(self) -> Status:
        """Tell how things stand."""
        return Status(
            cluster=str(self._etcd),
            host=self._host,
            leased=bool(self.lease()),
            telling=self._publisher.error,
            hearing=self._follower.error,
        )
