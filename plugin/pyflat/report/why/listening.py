"""Waits for a packet that somebody outside sends to this host, and follows that one."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from msgspec.structs import replace
from netaddr import IPAddress

from pyflat.dataplane.trace import Event, Match, Tracer
from pyflat.report.why.flow import ECHO, FIRST, KNOWN, Flow, Target
from pyflat.report.why.places import Place, read_address
from pyflat.report.why.story import Sighting, sight

#: Seconds in which a packet has to come, and in which its answer has to.
PATIENCE, ANSWER = 20.0, 1.0
_PAUSE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What somebody outside has to send to: ``address`` None stands for any of this host's."""

    address: IPAddress | None
    protocol: str
    port: int

    def __str__(self) -> str:
        """Write it as people do."""
        where = str(self.address) if self.address else "any address of this host"
        return f"{where}, port {self.port}/{self.protocol}" if self.port else f"{where}, by ping"

    def matches(self) -> Iterator[Match]:
        """Match what comes to it, and answers."""
        family = "ip6" if self.address and self.address.version == 6 else "ip"
        end = f"{family} daddr {self.address}" if self.address else "fib daddr type local"
        protocol = self.protocol if self.port else ECHO[6 if family == "ip6" else 4]
        words = f"{end} meta l4proto {protocol}"
        known = f"meta l4proto {protocol}"
        if self.port:
            words += f" th dport {self.port}"
        if self.address:
            known += f" ct original {family} daddr {self.address}"
        if self.port:
            known += f" ct original proto-dst {self.port}"
        came = f'iifname != "lo" {words}'
        yield Match(family="inet", hook="prerouting", priority=FIRST, words=came)
        for hook in ("prerouting", "output"):
            yield Match(family="inet", hook=hook, priority=KNOWN, words=known)


def door(target: Target, place: Place | None) -> Door | None:
    """Give where a target is reached from outside: an address itself, or a published port.

    None if a container does not publish that port.
    """
    if address := read_address(target.name):
        return Door(address=address, protocol=target.protocol, port=target.port)
    if place is None:
        return None
    for connection in place.connections:
        for port in connection.endpoint.ports if connection.endpoint else ():
            if (port.protocol, port.container_port) == (target.protocol, target.port):
                host = IPAddress(port.host or port.container)
                some = host if int(host) else None
                return Door(address=some, protocol=port.protocol, port=port.host_port)
    return None


def listen(found: Door) -> tuple[Flow, list[Sighting]] | None:
    """Wait for a packet, and give its flow and all that was seen of it; None if none comes."""
    tracer = Tracer(found.matches())
    try:
        events = _first(tracer)
        first = next((event for event in events if event.source and event.target), None)
        if first is None or first.source is None or first.target is None:
            return None
        time.sleep(ANSWER)
        events += tracer.events()
        flow = Flow(
            source=first.source, target=first.target, protocol=found.protocol, port=found.port
        )
        seen = sight("", events, flow)
        return flow, [replace(each, rule=tracer.rule(each.event)) for each in seen]
    finally:
        tracer.close()


def _first(tracer: Tracer) -> list[Event]:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if events := tracer.events():
            return events
        time.sleep(_PAUSE)
    return []
