"""Our tables and their elements: commands go in as text, listings come out as JSON."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pyflat import counts
from pyflat.dataplane import ruleset
from pyflat.dataplane.libnftables import JSON, TERSE, Context
from pyflat.dataplane.objects import Element, Table
from pyflat.dataplane.plan import Step
from pyflat.errors import BackendError


class Nftables:
    """Our tables of some families, in the namespace of the thread that makes this object.

    To be called by one thread at a time. Raises StartupError where libnftables is missing.
    """

    def __init__(self, mark: int, families: Iterable[str]) -> None:
        self._mark = mark
        self._families = tuple(families)
        self._context = Context()
        self._installed: dict[str, Any] = {}

    def apply(self, steps: Sequence[Step]) -> None:
        """Carry out steps on tables and elements in one transaction: all of them or none.

        A removal of what is not there makes the whole transaction be tried again without
        what is missing. Raises BackendError.
        """
        commands = ruleset.transaction(steps, self._mark)
        if not commands:
            return
        try:
            with counts.TRANSACTIONS.timed():
                self._context.run(commands)
        except BackendError:
            present = self.observe()
            self._context.run(ruleset.transaction(_still_needed(steps, present), self._mark))
        for step in steps:
            if isinstance(step.object, Table) and step.verb == "add":
                self._installed[step.object.family] = self._rules(step.object.family)

    def observe(self) -> set[Table | Element]:
        """Read our tables and, of those that are as we installed them, their elements."""
        found: set[Table | Element] = set()
        for family in self._families:
            rules = self._rules(family)
            if rules is None:
                continue
            intact = rules == self._installed.get(family)
            found.add(Table(family=family, intact=intact))
            if intact:
                found.update(ruleset.elements_of(family, self._list(family)))
        return found

    def elements(self) -> Iterator[Element]:
        """Read the elements of our tables, whoever installed them."""
        for family in self._families:
            if listing := self._list(family):
                yield from ruleset.elements_of(family, listing)

    def close(self) -> None:
        """Free the context."""
        self._context.close()

    def _rules(self, family: str) -> list[Mapping[str, Any]] | None:
        listing = self._list(family, TERSE)
        return ruleset.rules_of(listing) if listing else None

    def _list(self, family: str, flags: int = 0) -> Mapping[str, Any]:
        try:
            text = self._context.run(f"list table {ruleset.TABLES[family]}\n", JSON | flags)
        except BackendError as error:
            if "No such file or directory" in str(error):
                return {}
            raise
        listing: Mapping[str, Any] = json.loads(text)
        return listing


def _still_needed(steps: Sequence[Step], present: set[Table | Element]) -> list[Step]:
    """Leave out what is so already; an added table replaces what stands under its name."""
    fresh = {s.object for s in steps if isinstance(s.object, Table) and s.verb == "add"}
    families = {table.family for table in fresh}
    there = {(p.key, p.family not in families) for p in present}
    return [s for s in steps if ((s.object.key, True) in there) == (s.verb == "delete")]
