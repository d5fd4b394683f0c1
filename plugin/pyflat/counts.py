"""What this process has done, in numbers.

To count costs about a microsecond, so it is always done; ``report.metrics`` shows the numbers where
somebody asks for them.
"""

import mmap
import struct
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

#: The values of a number's labels; what they are called is ``report.metrics``'s to say.
Labels: TypeAlias = tuple[str, ...]

#: Seconds that part durations into buckets; the last bucket holds what is longer than all.
BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_NUMBER = struct.Struct("=Q")


class Counter:
    """Numbers that only grow, one for each set of labels; for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[Labels, int] = {}

    def add(self, *labels: str, number: int = 1) -> None:
        """Count so many."""
        with self._lock:
            self._values[labels] = self._values.get(labels, 0) + number

    def read(self) -> Mapping[Labels, int]:
        """Give the numbers of this moment."""
        with self._lock:
            return dict(self._values)


class Durations:
    """How often something took how long, for each set of labels; for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[Labels, tuple[list[int], list[float]]] = {}

    def note(self, seconds: float, *labels: str) -> None:
        """Count one."""
        place = bisect_left(BOUNDS, seconds)
        with self._lock:
            if labels not in self._values:
                self._values[labels] = [0] * (len(BOUNDS) + 1), [0.0]
            buckets, total = self._values[labels]
            buckets[place] += 1
            total[0] += seconds

    @contextmanager
    def timed(self, *labels: str) -> Iterator[None]:
        """Count how long the block takes, also if it raises."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.note(time.perf_counter() - begin, *labels)

    def read(self) -> Mapping[Labels, tuple[list[int], float]]:
        """Give how many are in each bucket, and the sum of all seconds."""
        with self._lock:
            return {
                labels: (list(each), total[0]) for labels, (each, total) in self._values.items()
            }


class Lasting:
    """A number that outlives the worker: it is shared by all that the process forks."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _NUMBER.size)

    def add(self) -> None:
        """Count one; to be called by one process at a time."""
        _NUMBER.pack_into(self._memory, 0, self.read() + 1)

    def read(self) -> int:
        """Give the number of this moment."""
        number: int = _NUMBER.unpack_from(self._memory)[0]
        return number


#: Answers, by method.
REQUESTS = Durations()
#: Requests that did not succeed, by method and HTTP status.
ERRORS = Counter()
#: Looks at everything.
CONVERGES = Durations()
#: Looks that had to mend something which others did, and what was wrong, by its kind.
REPAIRS, DRIFT = Counter(), Counter()
#: Writes to the store.
COMMITS = Durations()
#: Changes of the firewall.
TRANSACTIONS = Durations()
#: Workers that have begun, and those that ended because a request had no answer in time.
STARTS, OVERDUE = Lasting(), Lasting()
