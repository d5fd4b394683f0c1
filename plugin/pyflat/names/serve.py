"""Has a dnsmasq answer wherever containers of an overlay ask for names."""

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeAlias

from netaddr import IPAddress

from pyflat.errors import BackendError, PyflatError
from pyflat.model import Endpoint, Key, Network
from pyflat.names import dnsmasq, hosts
from pyflat.names.dnsmasq import Dnsmasq
from pyflat.peers import Resolver
from pyflat.state import State

log = logging.getLogger(__name__)

#: Where the folders of hosts files are.
FOLDER = Path("/run/pyflat/names")
#: Seconds between two looks at whether each process lives.
CHECK = 1.0
#: Seconds until another one is tried after one that did not answer.
RETRY = 5.0
#: Seconds to wait for the thread's end.
PATIENCE = 3.0

#: A network and a name server that its containers ask.
_Place: TypeAlias = tuple[str, IPAddress]


class Engine(Protocol):
    """Who has State."""

    @property
    def state(self) -> State:
        """The present State."""

    def subscribe(self, follower: Callable[[State, Set[Key]], None]) -> None:
        """Have a follower told of every commit."""

    def update(self, change: Callable[[State], tuple[State, Any]]) -> Any:
        """Carry out one change."""


class Answering:
    """A thread that follows State: a process for each place, a file for each endpoint it knows.

    Without its answer, questions go where the containers sent them. What a change costs does
    not grow with the number of endpoints; a network where nobody asks has no files.
    """

    def __init__(self, engine: Engine, folder: Path = FOLDER) -> None:
        self._engine = engine
        self._folder = folder
        self._changes: SimpleQueue[tuple[State, Set[Key]] | None] = SimpleQueue()
        self._running: dict[_Place, Dnsmasq] = {}
        self._failed: dict[_Place, float] = {}
        self._written: set[str] = set()  # networks that have files
        self._said: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="names", daemon=True)

    def start(self) -> None:
        """Begin; the engine must have read its State."""
        state = self._engine.state
        self._engine.subscribe(lambda before, touched: self._changes.put((before, touched)))
        everything = ((Network.kind, network) for network in state.ids("overlays"))
        self._changes.put((State(), frozenset(everything)))
        self._thread.start()

    def end(self) -> None:
        """Have questions go where the containers send them, and end."""
        self._changes.put(None)
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        while True:
            try:
                change = self._changes.get(timeout=CHECK)
            except Empty:
                self._attempt(self._look_after)
                continue
            if change is None:
                break
            self._attempt(self._follow, *change)
            self._attempt(self._look_after)
        self._attempt(self._withdraw, list(self._running))
        for process in self._running.values():
            process.end()

    @staticmethod
    def _attempt(action: Callable[..., None], *arguments: Any) -> None:
        try:
            action(*arguments)
        except Exception as error:
            # A thread that ends would take every process with it.
            known = isinstance(error, PyflatError | OSError)
            log.warning("names of other hosts may be missing: %s", error, exc_info=not known)

    def _follow(self, before: State, touched: Set[Key]) -> None:
        state = self._engine.state
        for key in touched:
            self._attempt(self._keep_files, before, state, key)
        for place in {p for key in touched for each in (before, state) for p in _places(each, key)}:
            self._attempt(self._settle, place)

    def _keep_files(self, before: State, state: State, key: Key) -> None:
        if isinstance(before.lookup(key), Network) and state.lookup(key) is None:
            shutil.rmtree(self._folder / key[1], ignore_errors=True)
            self._written.discard(key[1])
        elif self._written:
            self._write(hosts.files(before, key), hosts.files(state, key))

    def _take_up(self, state: State, network: Network) -> Path:
        """Make a network's folder, with what is known by now, unless it is there."""
        folder = self._folder / network.id
        if network.id in self._written:
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for each in (self._folder.parent, self._folder, folder):
            each.chmod(0o755)  # whatever the umask: dnsmasq is nobody
        self._written.add(network.id)
        for key in hosts.members(state, network):
            self._write({}, hosts.files(state, key))
        return folder

    def _write(self, old: dict[hosts.File, str], new: dict[hosts.File, str]) -> None:
        for file in old.keys() - new.keys():
            self._folder.joinpath(*file).unlink(missing_ok=True)
        for file, text in new.items():
            if text != old.get(file) and file[0] in self._written:
                _write(self._folder.joinpath(*file), text)

    def _look_after(self) -> None:
        ended = [place for place, process in self._running.items() if not process.is_alive]
        for place in ended:
            log.warning("what answers for name server %s has ended: it is started again", place[1])
            del self._running[place]
        now = time.monotonic()
        for place in (*ended, *(place for place, due in self._failed.items() if due < now)):
            self._settle(place)

    def _settle(self, place: _Place) -> None:
        state = self._engine.state
        network = state.get(Network, place[0])
        if network is None or not hosts.is_asked(state, network, place[1]):
            self._failed.pop(place, None)
            self._withdraw([place])
            if place in self._running:
                self._running.pop(place).end()
        elif place not in self._running:
            self._serve(network, place)

    def _serve(self, network: Network, place: _Place) -> None:
        """Start a process and send questions there, to the same port as before if it is free."""
        server = place[1]
        former = self._engine.state.get(Resolver, f"{network.id}|{server}")
        address = next(a for a in hosts.gateways(network) if a.version == server.version)
        port = former.port if former is not None else 0
        try:
            folder = self._take_up(self._engine.state, network)
            process = Dnsmasq(folder, address, port, _asking(network, server))
        except (BackendError, OSError) as error:
            self._failed[place] = time.monotonic() + RETRY
            self._withdraw([place])
            if str(error) not in self._said:
                log.warning("containers do not find those of other hosts by name: %s", error)
            self._said.add(str(error))
            return
        self._failed.pop(place, None)
        self._said.clear()
        self._running[place] = process
        self._announce(
            Resolver(network=network.id, server=server, address=address, port=process.port)
        )

    def _announce(self, resolver: Resolver) -> None:
        def put(state: State) -> tuple[State, None]:
            known = state.get(Network, resolver.network)
            return (state.put(resolver) if known is not None else state), None

        self._engine.update(put)

    def _withdraw(self, places: Iterable[_Place]) -> None:
        def drop(state: State) -> tuple[State, None]:
            for network, server in places:
                state = state.drop(Resolver, f"{network}|{server}")
            return state, None

        self._engine.update(drop)


def _write(path: Path, text: str) -> None:
    """Write a file for dnsmasq; without the layers of a text file, as there may be thousands."""
    lines = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        # Before its end: that is when dnsmasq reads it, and never again.
        os.fchmod(lines, 0o644)
        os.write(lines, text.encode())
    finally:
        os.close(lines)


def _places(state: State, key: Key) -> Iterator[_Place]:
    """Give the places that a record may be about."""
    match state.lookup(key):
        case Endpoint() as endpoint:
            network = state.require(Network, endpoint.network)
            yield from ((network.id, s) for s in (*hosts.gateways(network), *endpoint.servers))
        case Network() as network:
            for identifier in state.ids("network", network.id):
                yield from _places(state, (Endpoint.kind, identifier))
            for identifier in state.ids("resolvers", network.id):
                yield network.id, state.require(Resolver, identifier).server


def _asking(network: Network, server: IPAddress) -> Sequence[str]:
    if server not in hosts.gateways(network):
        return dnsmasq.only(server)
    # Nothing of an internal network leaves the host, be it a question.
    return dnsmasq.NOBODY if network.internal else dnsmasq.AS_HOST
