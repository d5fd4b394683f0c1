"""The parts that work in one network namespace."""

from pyflat.dataplane.entries import Entries
from pyflat.dataplane.namespace import Home
from pyflat.dataplane.netlink import Links
from pyflat.dataplane.nftables import Nftables
from pyflat.dataplane.objects import Element, Object, Table
from pyflat.dataplane.overlay_objects import Entry
from pyflat.dataplane.ruleset import INSIDE, TABLES


def is_inside(item: Object) -> bool:
    """Say whether an object lies in the namespace of pyflat's own."""
    if isinstance(item, Table | Element):
        return item.family in INSIDE
    return bool(getattr(item, "inside", False))


def is_firewall(item: Object) -> bool:
    """Say whether an object is made in a transaction of nftables."""
    return isinstance(item, Table | Element)


def is_entry(item: Object) -> bool:
    """Say whether an object is an entry, of which many are made at once."""
    return isinstance(item, Entry)


class Place:
    """Links, entries and tables of the namespace of the thread that makes this object.

    To be called by one thread at a time. ``home`` is the host's namespace if this is
    another. Raises StartupError where libnftables is missing.
    """

    def __init__(self, mark: int, home: Home | None = None) -> None:
        inside = home is not None
        self.links = Links(home)
        self.entries = Entries(inside=inside)
        self.tables = Nftables(mark, [family for family in TABLES if (family in INSIDE) == inside])

    def observe(self) -> set[Object]:
        """Read all objects of ours that are here."""
        return {*self.links.observe(), *self.entries.observe(), *self.tables.observe()}

    def remains(self) -> set[Object]:
        """Read what a plugin of an earlier time has left: links, addresses and elements."""
        return {*self.links.observe(), *self.tables.elements()}

    def close(self) -> None:
        """Finish what is pending and let go of everything; what was made stays."""
        self.links.close()
        self.entries.close()
        self.tables.close()
