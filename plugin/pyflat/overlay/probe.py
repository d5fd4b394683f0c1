"""Finds out whether the underlay does what tunnels need, and says what is wrong."""

import logging
import time
from collections.abc import Set
from functools import partial
from pathlib import Path

from netaddr import IPAddress

from pyflat.dataplane.counters import wrong_checksums
from pyflat.dataplane.path import SMALLEST, largest, passes
from pyflat.model import Key, Network
from pyflat.overlay.rounds import Engine, Rounds
from pyflat.peers import OVERHEAD, Peer
from pyflat.state import State

log = logging.getLogger(__name__)

#: Seconds between two looks, and until a path is tried again.
INTERVAL, AGAIN = 30.0, 600.0
#: Packets of a wrong checksum between two looks that are no accident.
WRONG = 10


class Probe:
    """Tries paths when another host appears and now and then, and watches for wrong checksums.

    ``counters`` is the folder of the kernel's protocol counters.
    """

    def __init__(self, engine: Engine, counters: Path = Path("/proc/net")) -> None:
        self._engine = engine
        self._counters = counters
        self._tried: dict[tuple[IPAddress, IPAddress, int], float] = {}
        self._wrong = wrong_checksums(counters)
        self._rounds = Rounds(engine, self._look, interval=INTERVAL)
        engine.subscribe(self._follow)

    def start(self) -> None:
        """Begin with what State has; the engine must have read it."""
        self._rounds.start()

    def _follow(self, _: State, touched: Set[Key]) -> None:
        if any(kind == Peer.kind for kind, _ in touched):
            self._rounds.wake()

    def _look(self, networks: list[Network]) -> None:
        self._count(networks)
        for network in networks:
            state = self._engine.state
            for identifier in state.ids("peers", str(network.vni)):
                if (peer := state.get(Peer, identifier)) is not None and peer.vtep is not None:
                    self._try(network, peer.vtep)

    def _try(self, network: Network, vtep: IPAddress) -> None:
        assert network.tunnel is not None
        source, overhead = network.tunnel.address, OVERHEAD[vtep.version]
        size = network.options.mtu + overhead
        path = (source, vtep, size)
        if time.monotonic() < self._tried.get(path, 0.0):
            return
        found = largest(partial(passes, source, vtep), SMALLEST[source.version], size)
        self._tried[path] = time.monotonic() + AGAIN
        if found is not None and found < size:
            log.warning(
                "vni %s: packets of %d bytes are lost on the way to %s, and those of %d arrive: "
                "make the network anew with -o com.docker.network.driver.mtu=%d",
                *(network.vni, size, vtep, found, found - overhead),
            )

    def _count(self, networks: list[Network]) -> None:
        before, self._wrong = self._wrong, wrong_checksums(self._counters)
        if self._wrong - before >= WRONG:
            devices = ", ".join(sorted({n.tunnel.device for n in networks if n.tunnel}))
            log.warning(
                "%d UDP packets had a wrong checksum: the interface of a host that sends to this "
                "one may not be able to make those of tunnels; there, try "
                "ethtool -K %s tx-checksum-ip-generic off tx-udp_tnl-csum-segmentation off",
                *(self._wrong - before, devices),
            )
