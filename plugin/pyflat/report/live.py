"""What can be seen of a plugin while it runs, without the engine's lock. Reads only."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping

import msgspec

from pyflat import docker_api
from pyflat.dataplane.difference import Difference
from pyflat.dataplane.links import Traffic, list_traffic, open_links
from pyflat.dataplane.namespace import Namespace
from pyflat.docker_api import Names
from pyflat.errors import BackendError
from pyflat.report.topology import NetworkView, Topology

log = logging.getLogger(__name__)

#: Seconds that names are good for.
FRESH = 2.0


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """What can be asked; every call gives what is so now.

    ``last`` is what the last look at everything has found, and could not mend.
    """

    topology: Callable[[], Topology]
    last: Callable[[], Difference]
    traffic: Callable[[], Mapping[str, Traffic]]
    names: Callable[[], Names]

    def troubles(self) -> tuple[str, ...]:
        """Say why not all is well, in a line each."""
        last, cluster = self.last(), self.topology().cluster
        found = (*last.errors, *sorted(map(str, last.lost)))
        if cluster is None or cluster.leased:
            return found
        why = cluster.telling or cluster.hearing
        return *found, f"cluster {cluster.name}: this host has no lease: {why}"


class Meter:
    """The counters of all interfaces, of the host and of pyflat's namespace."""

    def __init__(self) -> None:
        self._makers = [open_links]

    def add(self, namespace: Namespace) -> None:
        """Count what is in a namespace, too."""
        self._makers.append(lambda: namespace.run(open_links))

    def read(self) -> Mapping[str, Traffic]:
        """Give the counters by the names of the interfaces. Raises BackendError."""
        found: dict[str, Traffic] = {}
        for make in self._makers:
            found |= list_traffic(make)
        return found


class Naming:
    """Docker's names, asked for in the background: nobody waits for Docker here."""

    def __init__(self) -> None:
        self._names = Names()
        self._due = 0.0
        self._asking = threading.Lock()

    def read(self) -> Names:
        """Give the names that are known, and ask for newer ones if they are old."""
        if time.monotonic() >= self._due and self._asking.acquire(blocking=False):
            threading.Thread(target=self._ask, name="names", daemon=True).start()
        return self._names

    def _ask(self) -> None:
        try:
            self._names = docker_api.names() if docker_api.is_there() else Names()
        except BackendError as error:
            log.debug("names are not known: %s", error)
        finally:
            self._due = time.monotonic() + FRESH
            self._asking.release()


def links_of(network: NetworkView) -> Iterator[str]:
    """Name the interfaces that a network has on this host."""
    yield from dict.fromkeys((network.bridge, network.port_bridge))
    if network.tunnel is not None:
        yield network.tunnel.device
    yield from (endpoint.host_end for endpoint in network.endpoints)
