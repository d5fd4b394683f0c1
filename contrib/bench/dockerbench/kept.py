"""Results that outlive a run: one file for each case, written as soon as the case has ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from dockerbench.results import Outcome


@dataclass(frozen=True, slots=True)
class Key:
    """What results must have in common to stand in one table."""

    commit: str
    engine: str
    quick: bool


@dataclass(frozen=True, slots=True)
class Record:
    """What a case has found, and how it came about."""

    key: Key
    facts: dict[str, str]
    outcome: Outcome


class Kept:
    """The records of one key in a folder; those of other keys are as if they were not there."""

    def __init__(self, folder: Path, key: Key) -> None:
        self._folder = folder
        self._key = key

    def put(self, case: str, facts: dict[str, str], outcome: Outcome) -> None:
        """Keep what a case has found, in the place of what it had found before."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(case)
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(msgspec.json.encode(Record(self._key, facts, outcome)))
        unfinished.replace(path)

    def get(self, case: str) -> Record | None:
        """Give what a case has found; None if it has not run, or for another key only."""
        try:
            record = msgspec.json.decode(self._path(case).read_bytes(), type=Record)
        except (FileNotFoundError, msgspec.MsgspecError):
            # Another commit may have had other fields.
            return None
        return record if record.key == self._key else None

    def has(self, case: str) -> bool:
        """Say whether a case has come to its end."""
        record = self.get(case)
        return record is not None and not record.outcome.failed

    def all_of(self, cases: Iterable[str]) -> dict[str, Record]:
        """Give the records that there are of these cases, in their order."""
        found = {case: self.get(case) for case in cases}
        return {case: record for case, record in found.items() if record is not None}

    def _path(self, case: str) -> Path:
        length = "quick" if self._key.quick else "full"
        return self._folder / f"{self._key.engine}-{length}-{case}.json"
