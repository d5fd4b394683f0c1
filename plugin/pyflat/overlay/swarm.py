"""Finds out from Docker what a swarm has, where its calls and events leave that open.

They come to a plugin that is there at the moment, and are never said again.
"""

import logging
import threading
import time
from collections.abc import Iterable, Set
from typing import Protocol

from pyflat import docker_api
from pyflat.docker_api import Membership
from pyflat.driver import swarm
from pyflat.driver.overlays import Site
from pyflat.errors import BackendError
from pyflat.model import Endpoint, Key, Network
from pyflat.overlay import roster
from pyflat.peers import Allocation, Node
from pyflat.state import State

log = logging.getLogger(__name__)

#: Seconds between two questions.
INTERVAL = 5.0
#: Seconds from a change to the question about it: Docker tells the other nodes that this one has
#: a network when it has been made.
DELAY = 0.5

_KINDS = {Allocation.kind, Network.kind, Node.kind}


class Engine(roster.Engine, Protocol):
    """The one that carries changes out."""

    @property
    def site(self) -> Site:
        """This host, as its overlays see it."""

    def alive(self, endpoint: Endpoint) -> bool:
        """Say whether a container has the endpoint, or may be about to take it."""

    def now(self) -> float:
        """Give the Unix time."""

    def refresh(self) -> None:
        """Follow what has become of the host's addresses."""


class Nodes:
    """A thread that has State agree with what Docker knows of the swarm, while there is use in it.

    A node that Docker's list does not have stays where that may be a part of them: until an event
    says that it is gone, or the next start, as events before that were lost. A network of the
    swarm that Docker does not have here, but State has, was forgotten by a Docker that was killed.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._changed = threading.Event()
        self._heard = False
        self._missing: dict[str, float] = {}
        engine.subscribe(self._follow)

    def start(self) -> None:
        """Begin with what State has; the engine must have read it."""
        threading.Thread(target=self._run, name="nodes", daemon=True).start()

    def look(self) -> None:
        """Ask Docker once. Raises BackendError if it does not answer."""
        state = self._engine.state
        networks = [network.id for network in state.all(Network) if network.of_swarm]
        allocations = [allocation.id for allocation in state.all(Allocation)]
        if not (networks or allocations or any(state.all(Node))):
            return
        found = docker_api.membership(networks)
        self._settle_nodes(found)
        self._drop_forgotten(set(networks) - (found.here if found else set()))
        if found is not None and found.networks is not None:
            known = found.networks
            self._engine.learn(lambda s: (swarm.keep_allocations(s, allocations, known), None))

    def _settle_nodes(self, found: Membership | None) -> None:
        former = set(self._engine.state.ids("own-node"))

        def settle(state: State) -> tuple[State, None]:
            if found is None or not self._engine.site.in_swarm():
                return swarm.leave(state), None
            whole = found.networks is not None or not self._heard
            now = self._engine.now()
            return swarm.settle_nodes(state, found.own, found.others, whole=whole, now=now), None

        self._engine.learn(settle)
        self._heard = True
        if set(self._engine.state.ids("own-node")) != former:
            self._engine.refresh()

    def _drop_forgotten(self, networks: Set[str]) -> None:
        """Drop networks that have been missing for long enough to be none that are being made."""
        now = time.monotonic()
        self._missing = {network: self._missing.get(network, now) for network in networks}
        late = [network for network, since in self._missing.items() if now - since >= INTERVAL]
        if late:
            self._engine.learn(lambda state: (self._without(state, late), None))

    def _without(self, state: State, networks: Iterable[str]) -> State:
        for network in networks:
            state = swarm.drop_network(state, network, self._engine.alive)
        return state

    def _follow(self, _: State, touched: Set[Key]) -> None:
        if any(kind in _KINDS for kind, _ in touched):
            self._changed.set()

    def _run(self) -> None:
        while True:
            try:
                if docker_api.is_there():
                    self.look()
            except BackendError as error:
                log.debug("what is known of the swarm stays: %s", error)
            except Exception:
                log.exception("what is known of the swarm stays")
            if self._changed.wait(INTERVAL):
                time.sleep(DELAY)
            self._changed.clear()
