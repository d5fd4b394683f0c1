"""Follows one packet from a place to a target, and says where it ends."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace
from netaddr import IPAddress

from pyflat.dataplane.links import find_link
from pyflat.dataplane.namespace import visit
from pyflat.dataplane.trace import Match, Tracer
from pyflat.dataplane.ways import NextHop, Way, find_neighbour, find_way
from pyflat.errors import BackendError, PyflatError
from pyflat.report.rows import Naming
from pyflat.report.topology import NetworkView, Topology
from pyflat.report.why import counters, ending, listening
from pyflat.report.why.addressing import Addressing
from pyflat.report.why.flow import Flow, Target, read_target
from pyflat.report.why.places import OUTSIDE, Connection, Place, Places
from pyflat.report.why.probe import Outcome, send
from pyflat.report.why.story import End, Sighting, Story, deciding, in_tunnel, sight

T = TypeVar("T")

#: Seconds in which the kernel tells of the last packet.
_LATE = 0.1
_TRANSLATIONS = ("dnat", "snat", "masquerade", "redirect")


def why(
    topology: Topology, naming: Naming, source: str, target: str, notify: Callable[[str], None]
) -> Story:
    """Send a packet from a place to a target, as ``web:80``, and tell what becomes of it.

    From outside, one is waited for: then ``notify`` is told for which. Raises NotFound for a
    source that is not there, InvalidRequest, and BackendError where this process may not look.
    """
    places, asked = Places(topology, naming), read_target(target)
    place = places.source(source)
    story = Story(source=place.name, target=target, steps=[])
    inquiry = Inquiry(topology, places, place, asked, story)
    try:
        if source == OUTSIDE:
            inquiry.listen(notify)
        else:
            inquiry.run()
    except OSError as error:
        raise BackendError(f"a namespace cannot be looked into: {error.strerror}") from error
    return story


class Inquiry:
    """One question about one host; what is found becomes steps of the story."""

    def __init__(
        self, topology: Topology, places: Places, source: Place, target: Target, story: Story
    ) -> None:
        self._namespace = topology.namespace
        self._places = places
        self._source = source
        self._target = target
        self._story = story

    def run(self) -> None:
        """Ask, send and follow."""
        address = Addressing(self._places, self._source, self._story).find(self._target.name)
        way = self._find_way(address) if address else None
        if address and way and way.source:
            asked = self._target
            self._follow(
                Flow(source=way.source, target=address, protocol=asked.protocol, port=asked.port),
                way,
            )

    def listen(self, notify: Callable[[str], None]) -> None:
        """Wait for a packet from outside, and follow it."""
        name = self._target.name
        place = self._places.find(name)
        found = listening.door(self._target, place)
        if found is None:
            text = f"{name} publishes no port {self._target.port}/{self._target.protocol}"
            self._story.finish(End.NAME, text, "docker run -p, or ask for an address")
            return
        notify(f"waiting {listening.PATIENCE:.0f} s for a packet to {found}: send one now")
        heard = listening.listen(found)
        if heard is None:
            text = f"no packet to {found} came in {listening.PATIENCE:.0f} s"
            self._story.finish(End.LOST, text, "look at what lies between: it has to get here")
            return
        flow, sightings = heard
        self._story.tell("packet", f"from {flow.source} to {flow.target}")
        self._tell_rules(sightings)
        answered = any(not each.onward and each.event.leaving for each in sightings)
        seen = ending.Seen(
            flow=flow,
            source=self._source,
            target=place,
            network=None,
            local=True,
            device="",
            outcome=Outcome.ANSWERED if answered else Outcome.SILENT,
            sightings=sightings,
            counted=[],
            hop=None,
        )
        ending.finish(self._story, seen, self._there)

    def _tell_rules(self, sightings: list[Sighting]) -> None:
        for each in (each for each in deciding(sightings) if not each.drops):
            kind = "nat" if any(word in each.rule for word in _TRANSLATIONS) else "firewall"
            self._story.tell(kind, str(each) + ("" if each.onward else ", for the answer"))

    def _find_way(self, address: IPAddress) -> Way | None:
        """Ask for the source's route; None ends the story."""
        try:
            way = self._there(partial(find_way, address))
        except OSError as error:
            internal = [c.network for c in self._source.connections if c.network.internal]
            names = ", ".join(map(self._places.name, internal))
            self._story.finish(
                End.ROUTE,
                f"{self._source.name} has no route to {address}: {error.strerror}"
                + (f"; {names} is internal: nothing leads out of it" if internal else ""),
                "connect it to a network that leads there",
            )
            return None
        hop = f"by {way.gateway} on {way.device}" if way.gateway else f"on the link of {way.device}"
        if way.local:
            hop = "an address of its own"
        self._story.tell("route", f"{address} is {hop}, from {way.source}")
        return way

    def _follow(self, flow: Flow, way: Way) -> None:
        """Send the packet, and tell of all that it has met."""
        connection = self._source.connection_of(flow.source)
        before = counters.dropped(flow.version)
        outcome, sightings = self._trace(flow, connection)
        risen = counters.risen(before, counters.dropped(flow.version))
        hop = self._tell_hop(flow, way, connection)
        network = connection.network if connection else self._network_of(flow.target)
        target = self._places.find(str(flow.target))
        if network and network.tunnel and target and not target.namespace:
            self._story.tell("tunnel", _through(sightings, network, target, flow))
        self._tell_rules(sightings)
        seen = ending.Seen(
            flow=flow,
            source=self._source,
            target=target,
            network=network,
            local=way.local,
            device=way.device,
            outcome=outcome,
            sightings=sightings,
            counted=risen,
            hop=hop,
        )
        ending.finish(self._story, seen, self._there)

    def _trace(self, flow: Flow, connection: Connection | None) -> tuple[Outcome, list[Sighting]]:
        found: list[Sighting] = []
        network = connection.network if connection else self._network_of(flow.target)
        with ExitStack() as stack:
            tracers = []
            for place, path, matches in self._points(flow, connection):
                tracer = _in(path, partial(Tracer, matches))
                stack.callback(tracer.close)
                tracers.append((place, tracer))
            try:
                outcome = self._there(partial(send, flow))
            except (OSError, PyflatError):
                outcome = Outcome.UNREACHABLE  # what has kept it from being sent is told
            time.sleep(_LATE)
            for place, tracer in tracers:
                for each in sight(place, tracer.events(), flow, _vtep(network)):
                    found.append(replace(each, rule=tracer.rule(each.event)))
        return outcome, found

    def _points(
        self, flow: Flow, connection: Connection | None
    ) -> list[tuple[str, Path | None, list[Match]]]:
        """Say where the packet is looked for: each namespace that it may pass, in its order."""
        target = self._places.find(str(flow.target))
        network = connection.network if connection else self._network_of(flow.target)
        host = [*flow.matches(), *_tunnelled(flow, network)]
        points: list[tuple[str, Path | None, list[Match]]] = [("", None, host)]
        if network and network.inside:
            name = f"namespace {self._namespace.rpartition('/')[2]}"
            points.insert(0, (name, Path(self._namespace), list(flow.matches())))
        for place, where in ((self._source, 0), (target, len(points) + 1)):
            if place and place.namespace:
                points.insert(where, (place.name, place.namespace, list(flow.matches())))
        return list({path: (name, path, matches) for name, path, matches in points}.values())

    def _tell_hop(self, flow: Flow, way: Way, connection: Connection | None) -> NextHop | None:
        if way.local:
            return None
        if connection and connection.endpoint:
            where = Path(self._namespace) if connection.network.inside else None
            self._story.tell("port", _in(where, partial(_port, connection)))
        address = way.gateway or flow.target
        hop = self._there(partial(find_neighbour, way.device, address))
        self._story.tell(
            "neighbour",
            f"nobody answers for {address}" if hop.silent else f"{address} is {hop.mac}",
        )
        return hop

    def _network_of(self, address: IPAddress) -> NetworkView | None:
        target = self._places.find(str(address))
        connection = target.connection_of(address) if target else None
        return connection.network if connection else None

    def _there(self, function: Callable[[], T]) -> T:
        """Call a function in the source's namespace."""
        return _in(self._source.namespace, function)


def _in(namespace: Path | None, function: Callable[[], T]) -> T:
    return visit(namespace, function) if namespace else function()


def _tunnelled(flow: Flow, network: NetworkView | None) -> list[Match]:
    if network is None or network.tunnel is None:
        return []
    return list(flow.tunnelled(network.tunnel.port, network.tunnel.vni))


def _vtep(network: NetworkView | None) -> IPAddress | None:
    return IPAddress(network.tunnel.address) if network and network.tunnel else None


def _through(sightings: list[Sighting], network: NetworkView, target: Place, flow: Flow) -> str:
    """Say where a container of another host is, and what was seen of it in the tunnel."""
    own, connection = _vtep(network), target.connection_of(flow.target)
    assert own is not None
    remote = connection.remote if connection else None
    where = f"{remote.mac} is on {remote.host}, behind {remote.vtep}" if remote else "unknown"
    sent, back = (in_tunnel(sightings, own, onward=onward) for onward in (True, False))
    return f"{where}: {'sent' if sent else 'not sent'}, {'an' if back else 'no'} answer in it"


def _port(connection: Connection) -> str:
    assert connection.endpoint is not None
    name, bridge = connection.endpoint.host_end, connection.network.port_bridge
    link, master = find_link(name), find_link(bridge)
    if link is None or master is None:
        return f"{name if link is None else bridge} is gone"
    state = "up" if link.up else "down"
    place = f"of bridge {bridge}" if link.master == master.index else f"in no bridge {bridge}"
    return f"{name}, {state}, {place}"
