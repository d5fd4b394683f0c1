"""Where a packet ends, from all that was seen of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from netaddr import IPAddress, IPNetwork

from pyflat.dataplane.links import find_link, index_of
from pyflat.dataplane.path import SMALLEST, largest, passes
from pyflat.dataplane.ways import NextHop, find_way
from pyflat.errors import BackendError
from pyflat.report.topology import NetworkView, PeerView
from pyflat.report.why.flow import Flow
from pyflat.report.why.places import Place
from pyflat.report.why.probe import Outcome
from pyflat.report.why.story import End, Sighting, Story, is_forwarded, way_in, ways_out

T = TypeVar("T")

#: Bytes of an echo request that fits everywhere, and seconds that each answer may take.
_SMALL, _PATIENCE = 84, 0.25
_SWITCHES = Path("/proc/sys/net")


class There(Protocol):
    """Calls a function in the source's namespace."""

    def __call__(self, function: Callable[[], T]) -> T:
        """Give what it gives, or raise what it raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that is known; ``network`` is that of the source, else of the target.

    ``local`` says that the target is an address of the source, ``counted`` holds rules of the
    legacy iptables that drop and have counted meanwhile.
    """

    flow: Flow
    source: Place
    target: Place | None
    network: NetworkView | None
    local: bool
    device: str
    outcome: Outcome
    sightings: list[Sighting]
    counted: list[str]
    hop: NextHop | None


def finish(story: Story, seen: Seen, there: There) -> None:
    """Say how the story ends."""
    if seen.outcome == Outcome.ANSWERED:
        _sizes(story, seen, there)
        return
    for explain in (_dropped, _counted, _refused, _tunnel, _neighbour, _arrived, _forwarding):
        if found := explain(seen):
            story.finish(*found)
            return
    out, came = ways_out(seen.sightings), way_in(seen.sightings)
    if out:
        remedy = f"see there: tcpdump -ni {out[-1]} host {seen.flow.target}"
        story.finish(End.LOST, f"left by {out[-1]}, and no answer comes back", remedy)
    else:
        what = f"comes in by {came}, and goes no further" if came else "it is seen nowhere"
        story.finish(End.LOST, what, "pyflat doctor")


def _sizes(story: Story, seen: Seen, there: There) -> None:
    """Try the largest packet that the source's interface takes, where echoes are answered."""
    flow, what = seen.flow, f"{seen.flow.target} answers"
    link = there(partial(find_link, seen.device))
    elsewhere = seen.local or any("dnat" in each.rule for each in seen.sightings)
    if link is None or elsewhere or not _echoes(flow, _SMALL, there):
        story.finish(End.ANSWERED, what)
        return
    arrives = partial(_echoes, flow, there=there)
    found = largest(lambda size: arrives(size), SMALLEST[flow.version], link.mtu)
    if found is not None and found < link.mtu:
        story.finish(
            End.SIZE,
            f"{what}, but of packets that may not be cut, those above {found} bytes are lost "
            f"on the way, and {link.name} takes {link.mtu}",
            f"make the network anew with -o com.docker.network.driver.mtu={found}",
        )
    else:
        story.finish(End.ANSWERED, f"{what}, to packets of {link.mtu} bytes, too")


def _echoes(flow: Flow, size: int, there: There) -> bool:
    try:
        return there(partial(passes, flow.source, flow.target, size, patience=_PATIENCE))
    except BackendError:
        return False


def _dropped(seen: Seen) -> tuple[End, str, str] | None:
    each = next((each for each in seen.sightings if each.drops), None)
    if each is None:
        return None
    what = "dropped by" if each.onward else "its answer is dropped by"
    if each.is_ours:
        return End.FIREWALL, f"{what} pyflat: {each}", ""
    remedy = "accept there what is forwarded from and to the bridges of pyflat (pf-*)"
    if each.event.table == "filter" and each.event.chain == "FORWARD":
        remedy += "; Docker's own chain has to jump to DOCKER-USER first: start dockerd again"
    return End.FIREWALL, f"{what} {each}", remedy


def _counted(seen: Seen) -> tuple[End, str, str] | None:
    if not seen.counted:
        return None
    rules = "; ".join(seen.counted)
    return (
        End.FIREWALL,
        f"dropped by the legacy iptables, as far as counters tell: {rules}",
        "accept there what is forwarded from and to the bridges of pyflat (pf-+)",
    )


def _refused(seen: Seen) -> tuple[End, str, str] | None:
    if seen.outcome != Outcome.REFUSED:
        return None
    return (
        End.REFUSED,
        f"{seen.flow.target} refuses: the packet arrives, and nobody listens on port "
        f"{seen.flow.port}/{seen.flow.protocol}",
        "see what listens there, and on which address: ss -ln in the container",
    )


def _tunnel(seen: Seen) -> tuple[End, str, str] | None:
    """Ask the other hosts of an overlay that the target may be on."""
    network = seen.network
    is_here = seen.target is not None and seen.target.namespace is not None
    if network is None or network.tunnel is None or is_here or not _is_within(seen, network):
        return None
    remote = seen.target.connection_of(seen.flow.target) if seen.target else None
    vtep = remote.remote.vtep if remote and remote.remote else ""
    hosts = [peer for peer in network.peers if peer.vtep and vtep in {"", peer.vtep}]
    own = IPAddress(network.tunnel.address)
    silent = [peer for peer in hosts if not passes(own, IPAddress(peer.vtep), _SMALL)]
    if silent:
        names = ", ".join(map(_name, silent))
        return (
            End.TUNNEL,
            f"the tunnel leads to {names}, which does not answer from {network.tunnel.underlay}",
            f"see whether that host runs, and what lies between (UDP port {network.tunnel.port})",
        )
    names = ", ".join(map(_name, hosts)) or "nobody"
    return (
        End.TUNNEL,
        f"sent into the tunnel to {names}, which answers, but {seen.flow.target} does not",
        "there: pyflat doctor, and pyflat endpoints",
    )


def _neighbour(seen: Seen) -> tuple[End, str, str] | None:
    if seen.hop is None or not seen.hop.silent:
        return None
    return (
        End.NEIGHBOUR,
        f"nobody answers {seen.source.name} for the next hop",
        "pyflat plan says whether something of ours is missing; else nobody has that address",
    )


def _arrived(seen: Seen) -> tuple[End, str, str] | None:
    name = seen.target.name if seen.target else ""
    if not any(each.place == name and each.onward for each in seen.sightings if name):
        return None
    if seen.flow.protocol == "udp":
        return End.DELIVERED, f"arrives at {name}, which says nothing; it need not", ""
    return (
        End.DELIVERED,
        f"arrives at {name}, which does not answer",
        "see what the container itself does with it",
    )


def _forwarding(seen: Seen) -> tuple[End, str, str] | None:
    """Ask the host's routes what becomes of a packet that came in and did not go on."""
    arriving = way_in(seen.sightings)
    if not arriving or is_forwarded(seen.sightings):
        return None
    flow = seen.flow
    switch = f"ipv{flow.version}/conf/{arriving}/forwarding"
    off = _is_off(switch)
    try:
        find_way(flow.target, source=flow.source, arriving_by=index_of(arriving))
        reason = ""
    except OSError as error:
        reason = error.strerror or ""
    if not off and not reason:
        return None
    name = f"net.{switch.replace('/', '.')}"
    return (
        End.FORWARDING,
        f"comes in by {arriving}, and the host does not forward it: "
        + (f"{name} is 0" if off else reason),
        f"sysctl -w {name}=1" if off else f"ip route get {flow.target} from {flow.source}",
    )


def _is_off(switch: str) -> bool:
    path = _SWITCHES / switch
    return path.exists() and path.read_text().strip() == "0"


def _is_within(seen: Seen, network: NetworkView) -> bool:
    return any(seen.flow.target in IPNetwork(subnet.cidr) for subnet in network.subnets)


def _name(peer: PeerView) -> str:
    told = peer.host if peer.host == peer.vtep else f"{peer.host} ({peer.vtep})"
    if not peer.expired:
        return told
    return f"{told}, not heard of for {time.time() - peer.expired:.0f} s"
