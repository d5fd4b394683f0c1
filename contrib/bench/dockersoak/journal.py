"""What was done, what failed, and whether a daemon was away at the time."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import ParamSpec

from dockerbench.api import ApiError

#: Seconds after a daemon's return in which its absence may still be felt.
AFTERMATH = 1.0


P = ParamSpec("P")


class FailedError(Exception):
    """An operation has failed; it is in the journal."""


class Journal:
    """Takes notes from several threads."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        """How often each operation has succeeded."""
        self.refused: Counter[str] = Counter()
        """How often each operation has failed while a daemon was away."""
        self.unexplained: list[str] = []
        """What has failed though all daemons were there."""
        self.kills: Counter[str] = Counter()
        """How often each process was killed."""
        self._lock = threading.Lock()
        self._outages: list[list[float]] = []

    @contextmanager
    def outage(self, what: str) -> Iterator[None]:
        """Note that a daemon is away until the end of the block."""
        away = [time.monotonic(), float("inf")]
        self._outages.append(away)
        self.kills[what] += 1
        yield
        away[1] = time.monotonic()

    def do(self, what: str, action: Callable[P, object], *given: P.args, **named: P.kwargs) -> None:
        """Carry out an operation. Raises FailedError if it fails."""
        start = time.monotonic()
        try:
            action(*given, **named)
        except (ApiError, OSError, HTTPException) as error:
            self._note(what, f"{type(error).__name__}: {error}", start)
            raise FailedError(what) from error
        with self._lock:
            self.done[what] += 1

    def _note(self, what: str, text: str, start: float) -> None:
        with self._lock:
            if any(away[1] + AFTERMATH > start for away in self._outages):
                self.refused[what] += 1
            else:
                self.unexplained.append(f"{what}: {text}")
