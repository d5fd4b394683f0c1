"""What a cluster tells of other hosts."""

from dataclasses import dataclass

from netaddr import IPNetwork

from pyflat.peers import Peer, Remote, Segment
from pyflat.state import State


@dataclass(frozen=True, slots=True)
class News:
    """A record that is there from now on, or is gone.

    One of another host is nothing where nobody has the network.
    """

    record: Peer | Remote | Segment
    gone: bool = False

    def heard(self, state: State) -> State:
        """Give State with the news taken up."""
        if self.gone:
            return state.drop(type(self.record), self.record.id)
        own = isinstance(self.record, Segment)
        known = own or any(state.ids("vni", str(self.record.vni)))
        return state.put(self.record) if known else state


def segment(vni: int, *pools: str) -> Segment:
    """Give a VNI to this host, for a network whose gateways are the first of its pools."""
    parts = (f"--subnet {p} --ipam-driver pyflat --gateway {IPNetwork(p)[1]}" for p in pools)
    return Segment(vni=vni, parts=tuple(sorted(parts)))
