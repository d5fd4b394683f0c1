"""Rounds of lives on one host; after each, nothing may be left."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from dockerbench.api import Engine
from dockerlab.host import Host
from dockerlab.processes import wait_until
from dockerlab.traces import traces
from dockersoak.journal import Journal
from dockersoak.kills import PATIENCE, Killer
from dockersoak.life import DRIVER, Life, Numbers
from dockersoak.residue import SOCKET, Weight, clear, leaks, orphans, weigh

#: How many lives go on at once, and how many there are in a round.
AT_ONCE, ROUND = 4, 12


@dataclass(slots=True)
class Result:
    """What a soak has found."""

    journal: Journal
    start: Weight
    end: Weight
    lives: int = 0
    rounds: int = 0
    removed_late: int = 0
    """How many networks dockerd removed only after another start."""
    orphans: Counter[str] = field(default_factory=Counter)
    """What a kill had left unknown to dockerd, by kind."""
    leaks: list[str] = field(default_factory=list)
    """What was there after a round and not before, or the reverse."""

    @property
    def sound(self) -> bool:
        """Say whether nothing was left, and every failure is explained by a kill."""
        return not self.leaks and not self.journal.unexplained


def soak(host: Host, *, seed: int, kills: float, goes_on: Callable[[int, float], bool]) -> Result:
    """Run rounds while `goes_on`, asked with the lives and seconds so far, says so.

    `kills` is the number of kills in a minute, on average. A leak ends it: what follows would
    tell no more. LabError if a daemon does not come back.
    """
    return _Soak(host, seed, kills).run(goes_on)


class _Soak:
    def __init__(self, host: Host, seed: int, kills: float) -> None:
        self._host = host
        self._chance = random.Random(seed)
        self._kills = kills
        self._journal = Journal()
        self._numbers = Numbers()

    def run(self, goes_on: Callable[[int, float], bool]) -> Result:
        # What the first networks make for good is no leak.
        self._round(1, kills=0)
        clear(self._host, self._engine())
        before, weight = traces(self._host), weigh(self._host)
        result = Result(self._journal, weight, weight)
        start = time.monotonic()
        while not result.leaks and goes_on(result.lives, time.monotonic() - start):
            self._round(ROUND, self._kills)
            result.lives, result.rounds = result.lives + ROUND, result.rounds + 1
            result.removed_late += clear(self._host, self._engine())
            result.orphans.update(orphans(self._host))
            result.leaks = leaks(self._host, before)
            result.end = weigh(self._host)
        return result

    def _round(self, lives: int, kills: float) -> None:
        """Have so many lives, some at once, all of which share a network."""
        shared, engine = self._numbers.name(), self._engine()
        engine.create_network(shared, DRIVER, self._numbers.subnet())
        over = threading.Event()
        chances = [random.Random(self._chance.random()) for _ in range(lives + 1)]
        killer = Killer(self._host, self._journal, chances.pop())
        with ThreadPoolExecutor(AT_ONCE + 1) as threads:
            killing = threads.submit(killer.run, kills, over)
            try:
                list(threads.map(lambda chance: self._live(engine, chance, shared), chances))
            finally:
                over.set()
        killing.result()

    def _live(self, engine: Engine, chance: random.Random, shared: str) -> None:
        wait_until(self._host.dockerd.ready, PATIENCE)
        Life(engine, self._journal, self._numbers, chance, shared).live()

    def _engine(self) -> Engine:
        return Engine(self._host.path(SOCKET))
