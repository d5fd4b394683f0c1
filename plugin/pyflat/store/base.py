"""What the engine asks of a store."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from pyflat.model import Key, Record


class Store(Protocol):
    """Keeps records between two lives of the plugin."""

    def load(self) -> Iterable[Record]:
        """Give every record, in no order. Raises BackendError for what cannot be read."""

    def commit(self, records: Mapping[Key, Record | None]) -> None:
        """Keep the records and forget those that are None, all of them or none.

        On return they survive a power cut. Raises BackendError, and then nothing changed.
        """

    def close(self) -> None:
        """Let go of the files."""
