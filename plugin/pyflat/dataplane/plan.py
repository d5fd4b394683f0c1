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

#: Interfaces go after everything else, in the opposite order of their making.
LAST = 100


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
    old, new = set(before), set(after)
    new_keys, old_keys = {o.key for o in new}, {o.key for o in old}
    gone = {o for o in old if o.key not in new_keys}
    holders = {o.key for o in gone if isinstance(o, Bridge | Veth | Table)}
    steps = [
        *(Step("delete", o) for o in gone if _held_by(o) not in holders),
        *(Step("add", o) for o in new - old if o.key in old_keys or not _is_made(o)),
    ]
    return sorted(steps, key=_order)


def _is_made(item: Object) -> bool:
    return isinstance(item, Veth) and item.made


def _held_by(item: Object) -> tuple[object, ...] | None:
    """Give the key of what takes the item along when it goes."""
    match item:
        case Address() | Sysctl() | Forwarding():
            return (Bridge.kind, item.device)
        case Hairpin():
            return (Veth.kind, item.port)
        case Element():
            return (Table.kind, item.family)
        case _:
            return None


def _order(step: Step) -> tuple[int, bool, str]:
    rank = step.object.rank
    if step.verb == "delete" and isinstance(step.object, Bridge | Veth | Address):
        rank = LAST - rank
    return rank, step.verb == "add", str(step.object.key)
