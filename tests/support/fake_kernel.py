"""A kernel made of Python objects, as strict as Linux: nothing can stand on what is not there."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Literal, Self

from netaddr import IPAddress, IPNetwork
from tests.support.fake_links import check, take_along
from tests.support.fake_tables import check_element

from pyflat.dataplane.objects import (
    Element,
    Forwarding,
    HostPort,
    Object,
    Surroundings,
    Sysctl,
    Table,
    Uplink,
    Veth,
)
from pyflat.dataplane.overlay_objects import Vxlan
from pyflat.dataplane.plan import Step
from pyflat.errors import BackendError, Conflict, PyflatError
from pyflat.peers import Tunnel

UNSPECIFIED = {IPAddress("0.0.0.0"), IPAddress("::")}


class FakeKernel:
    """Implements ``Kernel``; tests say what else the host has and where containers' ends are.

    A step, or a firewall transaction, either happens or leaves everything as it was. Adding
    what is so already and deleting what is gone succeed. Switches stay as they are until their
    interface goes.
    """

    def __init__(self, *ways_out: Uplink) -> None:
        self.ways_out = set(ways_out)
        self.foreign_ports: set[HostPort] = set()
        self.occupied: set[IPNetwork] = set()
        self.servers = (IPAddress("192.0.2.200"),)
        self.pinned: set[str] = set()
        self.has_inside = False
        self.underlay = Tunnel(
            device="eth0",
            address=IPAddress("192.0.2.11"),
            segment=IPNetwork("192.0.2.0/24"),
            mtu=1500,
        )
        self.foreign_links = {"lo", "docker0", self.underlay.device}
        self.foreign_links.update(uplink.device for uplink in ways_out)
        self.announced: list[tuple[str, IPAddress, str]] = []
        self.steps = 0
        self._objects: dict[tuple[object, ...], Object] = {}
        self._away: set[str] = set()
        self._fault: tuple[int, Exception] | None = None

    @property
    def objects(self) -> frozenset[Object]:
        """Everything that is there."""
        return frozenset(self._objects.values())

    def copy(self) -> Self:
        """Give a kernel that is as this one is now, and goes its own way."""
        twin = type(self)(*self.ways_out)
        twin.foreign_links = set(self.foreign_links)
        twin.foreign_ports = set(self.foreign_ports)
        twin.occupied = set(self.occupied)
        twin.has_inside, twin.underlay = self.has_inside, self.underlay
        twin.pinned = set(self.pinned)
        twin._objects = dict(self._objects)
        twin._away = set(self._away)
        return twin

    def fail(self, number: int, error: Exception | None = None) -> None:
        """Make the given step from now on fail, once; steps are counted from 1."""
        self._fault = (self.steps + number, error or BackendError(f"step {number} fails"))

    def behave(self) -> None:
        """Forget about the step that was to fail."""
        self._fault = None

    @property
    def fault_is_pending(self) -> bool:
        """Say whether the step that is to fail has not come yet."""
        return self._fault is not None

    def take(self, host_end: str) -> None:
        """Let a container take the other end of a pair."""
        self._away.add(host_end)

    def give_back(self, host_end: str) -> None:
        """Let the other end of a pair come back into the host's namespace."""
        self._away.discard(host_end)

    def vanish(self, host_end: str) -> None:
        """Let a pair end with its container's namespace."""
        if ("link", host_end) in self._objects:
            self._delete(self._objects["link", host_end])

    def tamper(self, family: str) -> None:
        """Let somebody change the rules of a table of ours."""
        self._objects["table", family] = Table(family=family, intact=False)

    def flush_ruleset(self) -> None:
        """Let somebody remove all tables."""
        for item in self.objects:
            if isinstance(item, Table):
                self._delete(item)

    def lose(self, item: Object) -> None:
        """Let somebody remove an object of ours, with what stands on it."""
        self._delete(item)

    def plant(self, item: Object) -> None:
        """Leave an object of ours there that no record stands behind."""
        self._add(item)

    def end_process(self) -> None:
        """Let go of what a process takes with it: the ports that it held."""
        for item in self.objects:
            if isinstance(item, HostPort):
                self._delete(item)

    def apply(self, steps: Sequence[Step], *, keep_going: bool = False) -> list[PyflatError]:
        """See ``Kernel.apply``; neighbouring firewall steps are one transaction."""
        errors: list[PyflatError] = []
        for batch in _batches(steps):
            try:
                self._carry_out(batch)
            except PyflatError as error:
                if not keep_going:
                    raise
                errors.append(error)
        return errors

    def observe(self, wanted: Iterable[Object]) -> set[Object]:
        """See ``Kernel.observe``."""
        wanted = set(wanted)
        broken = {o.family for o in self.objects if isinstance(o, Table) and not o.intact}
        return {o for o in self.objects if _is_visible(o, wanted, broken)}

    def whereabouts(self, host_end: str) -> Literal["gone", "home", "away"]:
        """See ``Kernel.whereabouts``."""
        if ("link", host_end) not in self._objects:
            return "gone"
        return "away" if host_end in self._away else "home"

    def is_pinned(self, sandbox: str) -> bool:
        """See ``Kernel.is_pinned``."""
        return sandbox in self.pinned

    def has_untold_drift(self) -> bool:
        """See ``Kernel.has_untold_drift``."""
        return False

    def stands(self, item: Forwarding) -> bool:
        """See ``Kernel.stands``."""
        return self._objects.get(item.key) == item

    def free(self, protocol: str, host: IPAddress, port: int) -> bool:
        """See ``Kernel.free``."""
        return not self._port_is_taken(HostPort(protocol=protocol, host=host, port=port))

    def may_be_inside(self) -> bool:
        """See ``Kernel.may_be_inside``."""
        return self.has_inside

    def tunnel(
        self, device: str, towards: Iterable[IPAddress], known_by: IPAddress | None = None
    ) -> Tunnel:
        """See ``Kernel.tunnel``: over eth0, at 192.0.2.11 if this host is known by no other."""
        address = known_by or self.underlay.address
        return replace(self.underlay, device=device or self.underlay.device, address=address)

    def name_servers(self) -> tuple[IPAddress, ...]:
        """See ``Kernel.name_servers``."""
        return self.servers

    def announce(self, bridge: str, inside: bool, address: IPAddress, mac: str) -> None:
        """See ``Kernel.announce``."""
        self.announced.append((bridge, address, mac))

    def surroundings(self) -> Surroundings:
        """See ``Kernel.surroundings``."""
        return Surroundings(uplinks=frozenset(self.ways_out), occupied=frozenset(self.occupied))

    def close(self) -> None:
        """See ``Kernel.close``."""
        self.end_process()

    def _carry_out(self, batch: Sequence[Step]) -> None:
        self.steps += 1
        if self._fault is not None and self._fault[0] == self.steps:
            (_, error), self._fault = self._fault, None
            raise error
        before = dict(self._objects) if len(batch) > 1 else None
        try:
            for step in batch:
                (self._add if step.verb == "add" else self._delete)(step.object)
        except PyflatError:
            self._objects = before if before is not None else self._objects
            raise

    def _add(self, item: Object) -> None:
        if isinstance(item, HostPort):
            if item.key not in self._objects and self._port_is_taken(item):
                raise Conflict(f"{item} is already in use on this host")
        elif getattr(item, "inside", False) and not self.has_inside:
            raise BackendError(f"{item}: there is no namespace")
        elif isinstance(item, Element):
            self._check_element(item)
        else:
            check(item, self._objects, self.foreign_links)
        if isinstance(item, Table):
            self._clear(item.family)
        elif isinstance(item, Vxlan):
            self._delete(item)  # it is always made anew
        self._objects[item.key] = item

    def _delete(self, item: Object) -> None:
        if isinstance(item, Sysctl | Forwarding):
            return
        gone = self._objects.pop(item.key, None)
        if gone is None:
            return
        take_along(gone, self._objects)
        match gone:
            case Veth():
                self._away.discard(gone.name)
            case Table():
                self._clear(gone.family)

    def _clear(self, family: str) -> None:
        for item in self.objects:
            if isinstance(item, Element) and item.family == family:
                del self._objects[item.key]

    def _check_element(self, item: Element) -> None:
        if ("table", item.family) not in self._objects:
            raise BackendError(f"there is no table {item.family}")
        check_element(item, (o for o in self._objects.values() if isinstance(o, Element)))

    def _port_is_taken(self, item: HostPort) -> bool:
        held = (o for o in self._objects.values() if isinstance(o, HostPort))
        return any(_collide(item, other) for other in (*held, *self.foreign_ports))


def _collide(one: HostPort, other: HostPort) -> bool:
    if (one.protocol, one.port) != (other.protocol, other.port):
        return False
    if one.host.version != other.host.version:
        return False
    return one.host == other.host or bool(UNSPECIFIED & {one.host, other.host})


def _is_visible(item: Object, wanted: set[Object], broken: set[str]) -> bool:
    if isinstance(item, Sysctl | Forwarding):
        return item in wanted
    return not (isinstance(item, Element) and item.family in broken)


def _batches(steps: Sequence[Step]) -> Iterator[Sequence[Step]]:
    for family, group in groupby(steps, _firewall_of):
        if family:
            yield tuple(group)
        else:
            yield from ((step,) for step in group)


def _firewall_of(step: Step) -> str:
    """Say which namespace's firewall a step belongs to, "" for none."""
    if not isinstance(step.object, Table | Element):
        return ""
    return "inside" if step.object.family.startswith("inside") else "host"
