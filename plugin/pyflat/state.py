"""All records of pyflat, as one immutable value.

A change is a function from State to State. ``State.put`` and ``State.drop`` give a new State
and leave the old one whole (persistent maps: O(log n)), and note which records they touched,
so that what follows a change costs only what the change is worth.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Self, TypeAlias, TypeVar, cast

from immutables import Map

from pyflat.addressing import AddressBlock, Pool
from pyflat.errors import NotFound
from pyflat.model import Endpoint, IndexKey, Key, Network, Publication, Record
from pyflat.peers import Allocation, Claim, Node, Peer, Remote, Resolver, Segment

Index: TypeAlias = "Map[IndexKey, Map[str, None]]"

R = TypeVar(
    "R",
    Network,
    Endpoint,
    Publication,
    Pool,
    AddressBlock,
    Peer,
    Node,
    Allocation,
    Remote,
    Claim,
    Segment,
    Resolver,
)


@dataclass(frozen=True, slots=True)
class State:
    """All records, by kind and id, with an index over the facts they are looked up by."""

    tables: Map[str, Map[str, Record]] = field(default_factory=Map)
    index: Index = field(default_factory=Map)
    notes: Map[Key, None] = field(default_factory=Map)
    """What has been touched; a set would be copied with each of ten thousand changes."""

    @property
    def touched(self) -> frozenset[Key]:
        """Name the records that have been put or dropped since the State was settled."""
        return frozenset(self.notes)

    def get(self, kind: type[R], identifier: str) -> R | None:
        """Give a record or None."""
        return cast("R | None", self.tables.get(kind.kind, Map()).get(identifier))

    def require(self, kind: type[R], identifier: str) -> R:
        """Give a record or raise NotFound."""
        record = self.get(kind, identifier)
        if record is None:
            raise NotFound(f"{kind.kind} {identifier} is not known to pyflat")
        return record

    def lookup(self, key: Key) -> Record | None:
        """Give the record that a key names, or None."""
        return self.tables.get(key[0], Map()).get(key[1])

    def all(self, kind: type[R]) -> Iterator[R]:
        """Iterate over a kind, in no order."""
        return cast("Iterator[R]", iter(self.tables.get(kind.kind, Map()).values()))

    def ids(self, *index_key: str) -> Iterator[str]:
        """Iterate over the ids of the records that carry an index key."""
        return iter(self.index.get(index_key, Map()))

    def put(self, record: Record) -> Self:
        """Add a record, or replace the one of its kind and id."""
        old = self.lookup((record.kind, record.id))
        if old == record:
            return self
        table = self.tables.get(record.kind, Map()).set(record.id, record)
        index = _index(_unindex(self.index, old), record)
        return self._changed((record.kind, record.id), table, index)

    def drop(self, kind: type[Record], identifier: str) -> Self:
        """Remove a record; one that is not there is no change."""
        old = self.lookup((kind.kind, identifier))
        if old is None:
            return self
        table = self.tables[kind.kind].delete(identifier)
        return self._changed((kind.kind, identifier), table, _unindex(self.index, old))

    def restored(self, key: Key, source: "State") -> Self:
        """Have the record that a key names as another State has it, or not at all."""
        record = source.lookup(key)
        if record is not None:
            return self.put(record)
        present = self.lookup(key)
        return self.drop(type(present), key[1]) if present is not None else self

    def settled(self) -> Self:
        """Give the same State with nothing noted as touched."""
        return replace(self, notes=Map())

    def _changed(self, key: Key, table: Map[str, Record], index: Index) -> Self:
        tables = self.tables.set(key[0], table)
        return type(self)(tables, index, self.notes.set(key, None))


def _index(index: Index, record: Record) -> Index:
    for key in record.index_keys():
        index = index.set(key, index.get(key, Map()).set(record.id, None))
    return index


def _unindex(index: Index, record: Record | None) -> Index:
    for key in record.index_keys() if record else ():
        ids = index[key].delete(record.id) if record else Map()
        index = index.set(key, ids) if ids else index.delete(key)
    return index
