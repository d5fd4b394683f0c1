"""What has been found, step by step, in words. Pure."""

from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec
from netaddr import IPAddress

from pyflat.dataplane.trace import Event
from pyflat.report.why.flow import Flow
from pyflat.report.why.reasons import is_ours, reason


class End(StrEnum):
    """Where it ends."""

    ANSWERED = "answered"
    REFUSED = "refused"
    DELIVERED = "delivered"
    SIZE = "size"
    NAME = "name"
    ROUTE = "route"
    NEIGHBOUR = "neighbour"
    FIREWALL = "firewall"
    FORWARDING = "forwarding"
    TUNNEL = "tunnel"
    LOST = "lost"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing on the way."""

    step: str
    text: str


class Story(msgspec.Struct, kw_only=True):
    """The way of a packet; ``text`` says how it ends, and ``remedy`` what helps, or ""."""

    source: str
    target: str
    steps: list[Step]
    end: End = End.LOST
    text: str = ""
    remedy: str = ""

    def tell(self, step: str, text: str) -> None:
        """Add a step."""
        self.steps.append(Step(step=step, text=text))

    def finish(self, end: End, text: str, remedy: str = "") -> None:
        """Say how it ends."""
        self.end, self.text, self.remedy = end, text, remedy


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """An event with where it was seen, the text of its rule, and which way the packet went."""

    place: str
    event: Event
    rule: str = ""
    onward: bool = True

    @property
    def chain(self) -> str:
        """Say whose rule it is."""
        event = self.event
        where = f" in {self.place}" if self.place else ""
        return f"table {event.family} {event.table}, chain {event.chain}{where}"

    def __str__(self) -> str:
        """Write it as people read it."""
        what = self.rule or f"policy {self.event.verdict}"
        why = reason(self.event.chain, self.rule) if self.is_ours else ""
        return f"{self.chain}: {what}" + (f" ({why})" if why and self.drops else "")

    @property
    def is_ours(self) -> bool:
        """Say whether the rule is pyflat's."""
        return is_ours(self.event.family, self.event.table)

    @property
    def drops(self) -> bool:
        """Say whether the packet ends there."""
        return self.event.verdict == "drop"


def sight(
    place: str, events: Iterable[Event], flow: Flow, vtep: IPAddress | None = None
) -> Iterator[Sighting]:
    """Give events with the way that each packet went; ``vtep`` is where this host's tunnel begins.

    Only the first event in a chain at a hook says who sent the packet.
    """
    onward = True
    for event in events:
        if event.source is not None:
            onward = event.source in {flow.source, vtep}
        yield Sighting(place=place, event=event, onward=onward)


def deciding(sightings: Iterable[Sighting]) -> list[Sighting]:
    """Give what has let the packet pass, translated or dropped it, each once."""
    found: dict[tuple[str, str, str, str, int], Sighting] = {}
    for each in sightings:
        event = each.event
        decides = event.verdict == "drop" or (event.kind == "rule" and event.verdict == "accept")
        if decides:
            key = (each.place, event.family, event.table, event.chain, event.handle)
            found.setdefault(key, each)
    return list(found.values())


def ways_out(sightings: Iterable[Sighting]) -> list[str]:
    """Give the interfaces that the packet left the host's own rules by, in their order."""
    found = (each.event.leaving for each in sightings if each.onward and not each.place)
    return list(dict.fromkeys(filter(None, found)))


def way_in(sightings: Iterable[Sighting]) -> str:
    """Give the interface that the packet came to the host's own rules by, "" if it did not."""
    events = (each.event for each in sightings if each.onward and not each.place)
    found = (event.arriving for event in events if event.family != "bridge")
    return next(filter(None, found), "")


def in_tunnel(sightings: Iterable[Sighting], vtep: IPAddress, *, onward: bool) -> bool:
    """Say whether the packet was seen in a tunnel's: sent by this host's end, or come to it."""
    events = (each.event for each in sightings if each.onward == onward and not each.place)
    return any(vtep == (event.source if onward else event.target) for event in events)


def is_forwarded(sightings: Iterable[Sighting]) -> bool:
    """Say whether the host has let the packet on from one interface to another."""
    events = (each.event for each in sightings if each.onward and not each.place)
    return any(event.arriving and event.leaving for event in events)
