"""Hears what other hosts tell the cluster, and makes it State."""

import logging
import random
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, TypeVar

from netaddr import IPAddress

from pyflat.errors import PyflatError
from pyflat.model import Endpoint, Key, Network
from pyflat.overlay.etcd import Etcd
from pyflat.overlay.gateway import LostWatchError
from pyflat.overlay.news import Heard, Move, expire, hear, settle
from pyflat.overlay.publisher import Publisher
from pyflat.overlay.records import NETWORKS, own_value, place_of
from pyflat.peers import Remote
from pyflat.state import State

log = logging.getLogger(__name__)

#: Seconds that a host stays known after its lease was over.
GRACE = 60.0
#: Seconds that reading everything may take, and between two tries at most.
PATIENCE, RETRY = 20.0, 8.0

T = TypeVar("T")


class Engine(Protocol):
    """The one that carries changes out."""

    @property
    def state(self) -> State:
        """The present State."""

    def learn(self, change: Callable[[State], tuple[State, T]]) -> T:
        """Take up what is so elsewhere, and give what the change gives beside the new State."""

    def now(self) -> float:
        """Give the Unix time."""


#: Tells the neighbours on this host that an address of a network is behind another MAC.
Announce = Callable[[int, IPAddress, str], None]


class Follower:
    """A thread that reads everything, then what changes; and everything again after a loss.

    ``resolve`` looks the names of the cluster up beforehand.
    """

    def __init__(
        self,
        etcd: Etcd,
        host: str,
        engine: Engine,
        publisher: Publisher,
        announce: Announce,
        resolve: Callable[[], None],
    ) -> None:
        self._etcd = etcd
        self._resolve = resolve
        self._host = host
        self._engine = engine
        self._publisher = publisher
        self._announce = announce
        self._lock = threading.Lock()
        self._revision = 0  # up to which what has changed is State
        self._winners: dict[str, int] = {}
        self._ended = threading.Event()
        self._announcer = ThreadPoolExecutor(1, "announcer")
        self.error = "not asked yet"
        """Why nothing is heard, "" while all is."""

    def start(self) -> None:
        """Begin; the engine must have read its State."""
        threading.Thread(target=self._run, name="follower", daemon=True).start()

    def end(self) -> None:
        """End soon."""
        self._ended.set()

    def read(self, vni: int) -> None:
        """Read everything of one network. Raises BackendError."""
        while not self.error:  # else all is read soon
            snapshot = self._etcd.read(f"{NETWORKS}{vni}/")
            with self._lock:
                # What the watch has told since must not be taken back.
                if snapshot.revision >= self._revision:
                    self._take_up(partial(settle, found=snapshot.values, vnis=[vni]))
                    return

    def follow(self, before: State, touched: Set[Key]) -> None:
        """Note whose address another may have now; returns at once.

        Containers here may know another MAC of an address that has come to this host: IPv6 asks
        nobody, and Engine 27 and older do not tell.
        """
        after = self._engine.state
        if moves := [move for key in touched for move in _arrived(before, after, key)]:
            self._announcer.submit(self._tell, moves)
        joined = [key[1] for key in touched if _has_address(after, key[1])]
        for kind, identifier in touched:
            if identifier in self._winners and not _has_address(after, identifier):
                self._publisher.read_later(self._winners.pop(identifier))
            gone = kind == Remote.kind and after.get(Remote, identifier) is None
            if gone and (remote := before.get(Remote, identifier)):
                self._winners |= dict.fromkeys(joined, remote.vni)

    def _run(self) -> None:
        pause = 0.5
        while not self._ended.is_set():
            try:
                self._read_all()
                pause = 0.5
                self._follow()
            except (LostWatchError, PyflatError) as error:
                self._say(str(error))
            except Exception:
                log.exception("nothing is heard of the cluster")
                self._say("internal error")
            self._ended.wait(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, RETRY)

    def _read_all(self) -> None:
        self._resolve()
        with self._etcd.within(PATIENCE):
            snapshot = self._etcd.read(NETWORKS)
        found = snapshot.values
        with self._lock:
            self._take_up(partial(settle, found=found))
            self._revision = snapshot.revision
        self._publisher.correct({k: v for k, v in found.items() if _owner(k, v) == self._host})
        self._say("")

    def _follow(self) -> None:
        for revision, changed in self._etcd.watch(NETWORKS, self._revision):
            if self._ended.is_set():
                return
            with self._lock:
                if changed:
                    self._take_up(partial(hear, changed=changed))
                self._revision = revision
            own = (key for key, value in changed.items() if value is None)
            if any(own_value(self._engine.state, self._host, key) for key in own):
                self._publisher.begin_again()
            self._engine.learn(lambda state: (expire(state, self._engine.now(), GRACE), None))

    def _take_up(self, change: Callable[..., tuple[State, Heard]]) -> None:
        now = self._engine.now()
        heard = self._engine.learn(lambda state: change(state, own=self._host, now=now))
        for clash in heard.clashes:
            log.error("%s", clash)
        self._winners |= heard.winners
        for vni in heard.new:
            self._publisher.read_later(vni)
        self._tell(heard.moves)

    def _tell(self, moves: Iterable[Move]) -> None:
        for move in moves:
            with suppress(PyflatError):  # they ask again when nobody answers
                self._announce(*move)

    def _say(self, error: str) -> None:
        if error and not self.error:
            log.warning("cluster %s: %s; what is known of other hosts stays", self._etcd, error)
        if self.error and not error:
            log.info("cluster %s: heard as host %s", self._etcd, self._host)
        self.error = error


def _arrived(before: State, after: State, key: Key) -> Iterator[Move]:
    """Give the addresses of an overlay that a container of this host has now, and had not."""
    endpoint, old = after.get(Endpoint, key[1]), before.get(Endpoint, key[1])
    if key[0] != Endpoint.kind or endpoint is None or not endpoint.sandbox:
        return
    network = after.require(Network, endpoint.network)
    if network.vni is not None and (old is None or not old.sandbox):
        yield from ((network.vni, each.ip, endpoint.mac) for each in endpoint.addresses)


def _has_address(state: State, identifier: str) -> bool:
    """Say whether an endpoint is that of a container, here or elsewhere."""
    endpoint = state.get(Endpoint, identifier)
    return state.get(Remote, identifier) is not None or bool(endpoint and endpoint.sandbox)


def _owner(key: str, value: Mapping[str, Any]) -> str | None:
    """Give the host that wrote a key."""
    match place_of(key):
        case (_, "hosts", host):
            return host
        case (_, "endpoints", _) if isinstance(value, dict):
            return value.get("host")
    return None
