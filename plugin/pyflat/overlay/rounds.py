"""Work that is done again and again as long as this host has overlays that it concerns."""

import logging
import threading
from collections.abc import Callable, Set
from typing import Protocol

from pyflat.errors import PyflatError
from pyflat.model import Key, Network
from pyflat.state import State

log = logging.getLogger(__name__)


class Engine(Protocol):
    """The one that tells of each commit."""

    @property
    def state(self) -> State:
        """The present State."""

    def subscribe(self, follower: Callable[[State, Set[Key]], None]) -> None:
        """Have a follower told of every commit from now on."""


class Rounds:
    """A thread that looks at the overlays of this host that are ``concerned``.

    It is there as long as there are any, and looks each ``interval`` seconds and when ``wake``
    says so.
    """

    def __init__(
        self,
        engine: Engine,
        look: Callable[[list[Network]], None],
        *,
        interval: float,
        concerned: Callable[[Network], bool] = lambda _: True,
    ) -> None:
        self._engine = engine
        self._look = look
        self._interval = interval
        self._concerned = concerned
        self._running = threading.Event()
        self._woken = threading.Event()
        engine.subscribe(self._follow)

    def start(self) -> None:
        """Begin if there is anything to look at; the engine must have read its State."""
        if not self._running.is_set() and self._networks():
            self._running.set()
            threading.Thread(target=self._run, name="rounds", daemon=True).start()

    def wake(self) -> None:
        """Look soon."""
        self._woken.set()

    def _follow(self, _: State, touched: Set[Key]) -> None:
        if any(kind == Network.kind for kind, _ in touched):
            self.start()

    def _networks(self) -> list[Network]:
        state = self._engine.state
        networks = (state.require(Network, identifier) for identifier in state.ids("overlays"))
        return [network for network in networks if self._concerned(network)]

    def _run(self) -> None:
        while networks := self._networks():
            try:
                self._look(networks)
            except PyflatError as error:
                log.warning("%s", error)
            except Exception:
                log.exception("a look at the overlays has failed")
            self._woken.wait(self._interval)
            self._woken.clear()
        self._running.clear()
        self.start()  # if one has come since the last look
