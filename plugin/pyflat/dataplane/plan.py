"""From two sets of objects to the ordered steps that lead from one to the other. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pyflat.dataplane.objects import (
    Address,
    Bridge,
    Element,
    Forwarding,
    Hairpin,
    Object,
    Sysctl,
    Table,
    Veth,
)
from pyflat.dataplane.overlay_objects import (
    Entry,
    Fdb,
    Flood,
    Gateway,
    GatewayPort,
    Neighbour,
    ProxyNeighbour,
    Route,
    Vxlan,
)

_HOLDERS = (Bridge, GatewayPort, Gateway, Vxlan, Veth, Table)

#: Interfaces go after everything else, in the opposite order of their making; but for tunnels,
#: as another may take the VNI.
LAST = 100
_LATE = (Bridge, GatewayPort, Gateway, Veth, Address)


@dataclass(frozen=True, slots=True)
class Step:
    """Make ``object`` so (``add``: create it, or change what stands there), or remove it."""

    verb: Literal["add", "delete"]
    object: Object

    def __str__(self) -> str:
        """Write it as one line of a report."""
        return f"{self.verb} {self.object}"


def plan(before: Iterable[Object], after: Iterable[Object]) -> list[Step]:
    """Order the steps so that each finds what it stands on, and firewall steps stand together.

    What goes with its interface or its table gets no step of its own. A pair that a container
    has is changed if it differs, but never made anew.
    """
    old, new = ({o.key: o for o in objects} for objects in (before, after))
    gone = {key: o for key, o in old.items() if key not in new}
    holders = {key for key, o in gone.items() if isinstance(o, _HOLDERS)}
    # What differs is made anew, and has lost its entries.
    anew = {key for key, o in new.items() if isinstance(o, Vxlan) and old.get(key) not in {o, None}}
    old = {key: o for key, o in old.items() if _held_by(o) not in anew}
    steps = [
        *((_rank("delete", o), _word(o), o) for k, o in gone.items() if _held_by(o) not in holders),
        *((_rank("add", o), _word(o), o) for k, o in new.items() if _is_missing(o, old.get(k))),
    ]
    ordered = sorted(steps, key=lambda step: step[:2])
    return [Step("add" if rank[1] else "delete", item) for rank, _, item in ordered]


def _word(item: Object) -> str:
    """Give what orders objects of one rank, that lists of steps can be compared.

    There are thousands of entries, and none stands on another.
    """
    return "" if isinstance(item, Entry) else str(item.key)


def _is_missing(wanted: Object, present: Object | None) -> bool:
    return wanted != present if present is not None else not _is_made(wanted)


def _is_made(item: Object) -> bool:
    return isinstance(item, Veth) and item.made


def _held_by(item: Object) -> tuple[object, ...] | None:
    """Give the key of what takes the item along when it goes."""
    match item:
        case Address() | Sysctl() | Forwarding() | Fdb() | Flood() | Neighbour():
            return (Bridge.kind, item.device)
        case ProxyNeighbour() | Route():
            return (Bridge.kind, item.device)
        case Hairpin():
            return (Veth.kind, item.port)
        case Element():
            return (Table.kind, item.family)
        case _:
            return None


def _rank(verb: str, item: Object) -> tuple[int, bool]:
    """Give the place of a step: removals before additions, interfaces at the very end."""
    if verb == "delete" and isinstance(item, _LATE):
        return LAST - item.rank, False
    return item.rank, verb == "add"
