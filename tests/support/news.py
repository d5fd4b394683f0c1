"""What a cluster tells of other hosts."""

from dataclasses import dataclass

from pyflat.peers import Peer, Remote
from pyflat.state import State


@dataclass(frozen=True, slots=True)
class News:
    """A record that is there from now on, or is gone; nothing where nobody has the network."""

    record: Peer | Remote
    gone: bool = False

    def heard(self, state: State) -> State:
        """Give State with the news taken up."""
        if self.gone:
            return state.drop(type(self.record), self.record.id)
        known = any(state.ids("vni", str(self.record.vni)))
        return state.put(self.record) if known else state
