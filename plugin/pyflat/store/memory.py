"""A store that lasts as long as its process: for tests and dry runs."""

from collections.abc import Iterable, Mapping

from pyflat.model import Key, Record


class MemoryStore:
    """Implements ``Store`` with a dictionary."""

    def __init__(self) -> None:
        self._records: dict[Key, Record] = {}

    def load(self) -> Iterable[Record]:
        """See ``Store.load``."""
        return list(self._records.values())

    def commit(self, records: Mapping[Key, Record | None]) -> None:
        """See ``Store.commit``."""
        for key, record in records.items():
            if record is None:
                self._records.pop(key, None)
            else:
                self._records[key] = record

    def close(self) -> None:
        """See ``Store.close``."""
