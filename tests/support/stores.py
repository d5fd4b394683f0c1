"""Stores that fail or end the process at a chosen commit."""

from collections.abc import Iterable, Mapping

from pyflat.errors import BackendError
from pyflat.model import Key, Record
from pyflat.store.base import Store


class Crash(BaseException):
    """The end of the process; nothing in it gets to tidy up."""


class CrashingStore:
    """Implements ``Store``; ends the process right after commit ``number``, counted from 1."""

    def __init__(self, store: Store, number: int = 0) -> None:
        self.commits = 0
        self._store = store
        self._number = number

    def load(self) -> Iterable[Record]:
        """See ``Store.load``."""
        return self._store.load()

    def commit(self, records: Mapping[Key, Record | None]) -> None:
        """See ``Store.commit``."""
        self._store.commit(records)
        self.commits += 1
        if self.commits == self._number:
            raise Crash

    def close(self) -> None:
        """See ``Store.close``."""
        self._store.close()


class FailingStore:
    """Implements ``Store``; refuses the commits whose numbers, from 1 on, are named."""

    def __init__(self, store: Store) -> None:
        self.refused: set[int] = set()
        self._commits = 0
        self._store = store

    def load(self) -> Iterable[Record]:
        """See ``Store.load``."""
        return self._store.load()

    def commit(self, records: Mapping[Key, Record | None]) -> None:
        """See ``Store.commit``."""
        self._commits += 1
        if self._commits in self.refused:
            raise BackendError("no space left on device")
        self._store.commit(records)

    def refuse(self, *following: int) -> None:
        """Refuse commits, counted from the next, which is 1."""
        self.refused = {self._commits + number for number in following}

    def close(self) -> None:
        """See ``Store.close``."""
        self._store.close()
