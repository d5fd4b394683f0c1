"""Hosts of an overlay that are listed in a file (``peers=@FILE``), which is followed."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from netaddr import AddrFormatError, IPAddress

from pyflat.driver.overlays import settle_peers
from pyflat.model import Network
from pyflat.overlay import rounds
from pyflat.overlay.rounds import Rounds
from pyflat.state import State

log = logging.getLogger(__name__)

#: Seconds between two looks at the files.
INTERVAL = 1.0

T = TypeVar("T")


class Engine(rounds.Engine, Protocol):
    """The one that carries changes out."""

    def learn(self, change: Callable[[State], tuple[State, T]]) -> T:
        """Take up what is so elsewhere, and give what the change gives beside the new State."""


def read_roster(text: str) -> tuple[set[IPAddress], list[int]]:
    """Read an address from each line, and give the numbers of those that are none.

    What follows a # is a comment.
    """
    found, bad = set(), []
    for number, line in enumerate(text.splitlines(), start=1):
        if word := line.partition("#")[0].strip():
            try:
                found.add(IPAddress(word))
            except (AddrFormatError, ValueError):
                bad.append(number)
    return found, bad


def listed(path: str) -> set[IPAddress]:
    """Give the addresses in a file; none if it cannot be read."""
    try:
        return read_roster(Path(path).read_text())[0]
    except (OSError, UnicodeDecodeError):
        return set()


class Rosters:
    """Follows the files of this host's overlays.

    A file that is gone, or cannot be read, leaves what is known as it is.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._problems: dict[str, str] = {}
        self._rounds = Rounds(engine, self._look_at, interval=INTERVAL, concerned=_is_listed)

    def start(self) -> None:
        """Begin with what State has; the engine must have read it."""
        self._rounds.start()

    def _look_at(self, networks: list[Network]) -> None:
        for network in networks:
            self._look(network)

    def _look(self, network: Network) -> None:
        assert network.options.overlay is not None
        path = network.options.overlay.roster
        try:
            text = Path(path).read_text()
        except (OSError, UnicodeDecodeError) as error:
            self._say(network, f"{path}: {error}; the hosts that are known stay")
            return
        addresses, bad = read_roster(text)
        lines = ", ".join(map(str, bad))
        self._say(network, f"{path}: no address in line {lines}" if bad else "")
        # Read as often as looked at: a time that did not change proves nothing.
        state = self._engine.state
        if settle_peers(state, network.id, addresses) is not state:
            self._engine.learn(lambda state: (settle_peers(state, network.id, addresses), None))

    def _say(self, network: Network, problem: str) -> None:
        if problem and self._problems.get(network.id) != problem:
            log.warning("%s", problem)
        self._problems[network.id] = problem


def _is_listed(network: Network) -> bool:
    return network.options.overlay is not None and bool(network.options.overlay.roster)
