"""How the kernel differs from what it should hold, in words for people. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pyflat.dataplane.objects import Element, Hairpin, HostPort, Object, Table, Veth
from pyflat.dataplane.plan import Step, plan
from pyflat.dataplane.ruleset import TABLES
from pyflat.model import Key

#: The ways in which an object can be other than it should be.
MISSING, CHANGED, LEFT_OVER = "missing", "changed", "left over"


@dataclass(frozen=True, slots=True)
class Lost:
    """A pair of a living container that is gone: only dockerd can finish another one."""

    interface: str
    endpoint: str

    def __str__(self) -> str:
        """Say what is lost and what helps."""
        return (
            f"interface {self.interface} was taken from the container of endpoint "
            f"{self.endpoint[:12]}: docker network disconnect and connect make another"
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """The steps that make the kernel as it should be, and what no step can mend.

    ``dead`` are the records that no container stands behind any more, ``there`` the keys of the
    objects that the kernel holds, ``errors`` what the steps have failed with.
    """

    steps: tuple[Step, ...] = ()
    lost: frozenset[Lost] = frozenset()
    dead: frozenset[Key] = frozenset()
    there: frozenset[object] = field(default=frozenset(), compare=False, repr=False)
    errors: tuple[str, ...] = ()

    def by_kind(self) -> Mapping[str, list[Object]]:
        """Sort the objects of the steps by what is wrong with them."""
        found: dict[str, list[Object]] = {MISSING: [], CHANGED: [], LEFT_OVER: []}
        for step in self.steps:
            wrong = CHANGED if step.object.key in self.there else MISSING
            found[LEFT_OVER if step.verb == "delete" else wrong].append(step.object)
        return found

    def __str__(self) -> str:
        """Tell in one line what is wrong; many of a kind by their number."""
        kinds = self.by_kind().items()
        return "; ".join(f"{wrong}: {_names(objects)}" for wrong, objects in kinds if objects)


def compare(present: Iterable[Object], wanted: Iterable[Object]) -> Difference:
    """Compare the whole kernel with all that it should hold."""
    present, wanted = set(present), set(wanted)
    there = frozenset(item.key for item in present)
    pairs = [o for o in wanted if isinstance(o, Veth) and o.made and o.key not in there]
    gone = {pair.name for pair in pairs}
    possible = (o for o in wanted if not (isinstance(o, Hairpin) and o.port in gone))
    lost = frozenset(Lost(pair.name, pair.owner) for pair in pairs)
    return Difference(tuple(plan(present, possible)), lost, there=there)


def _names(objects: Iterable[Object]) -> str:
    many = Counter(_name(item) for item in objects)
    return ", ".join(f"{number} x {name}" if number > 1 else name for name, number in many.items())


def _name(item: Object) -> str:
    match item:
        case Table(family=family):
            return f"table {TABLES[family]}"
        case Element(family=family, name=name):
            return f"element of {TABLES[family]} {name}"
        case HostPort(protocol=protocol):
            return f"held port of {protocol}"
        case _:
            return str(item)
