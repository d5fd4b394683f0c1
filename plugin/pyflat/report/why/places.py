"""Who is asked about: containers, this host, and addresses elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from netaddr import AddrFormatError, IPAddress, IPNetwork

from pyflat.errors import NotFound
from pyflat.report.rows import Naming
from pyflat.report.topology import EndpointView, NetworkView, RemoteView, Topology

HOST, OUTSIDE = "host", "outside"
#: Characters that the start of an endpoint's id has at least.
_PREFIX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A container's interface in a network; ``remote`` if the container is on another host."""

    network: NetworkView
    endpoint: EndpointView | None = None
    remote: RemoteView | None = None

    @property
    def addresses(self) -> tuple[IPAddress, ...]:
        """Give its addresses, those of IPv4 first."""
        view = self.endpoint or self.remote
        texts = view.addresses if view else ()
        found = (IPAddress(text.split("/")[0]) for text in texts)
        return tuple(sorted(found, key=lambda address: int(address.version)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Somebody by name; ``namespace`` is None with the host, and where it is on another host."""

    name: str
    connections: tuple[Connection, ...] = ()
    namespace: Path | None = None

    def connection_of(self, address: IPAddress) -> Connection | None:
        """Give the interface that has an address."""
        return next((each for each in self.connections if address in each.addresses), None)


class Places:
    """Everybody that a host knows."""

    def __init__(self, topology: Topology, naming: Naming) -> None:
        self._topology = topology
        self._naming = naming

    def source(self, text: str) -> Place:
        """Find a place that packets come from. Raises NotFound."""
        if text == HOST:
            return Place(name="this host")
        if text == OUTSIDE:
            return Place(name=OUTSIDE)
        found = [each for each in self._local(text) if each.endpoint and each.endpoint.sandbox]
        if not found:
            raise NotFound(
                f"{text!r} is no container of pyflat's networks that runs here, {HOST} or {OUTSIDE}"
            )
        return self._container(found)

    def find(self, text: str) -> Place | None:
        """Find a container by its name, its endpoint's id or an address, here or elsewhere."""
        if found := [each for each in self._local(text) if each.endpoint]:
            return self._container(found)
        remote = tuple(self._remote(text))
        return Place(name=text, connections=remote) if remote else None

    def network_of(self, address: IPAddress, near: Place) -> NetworkView | None:
        """Give the network of a container in whose subnet an address is."""
        for connection in near.connections:
            subnets = connection.network.subnets
            if any(address in IPNetwork(subnet.cidr) for subnet in subnets):
                return connection.network
        return None

    def name(self, network: NetworkView) -> str:
        """Name a network as people do."""
        return self._naming.network(network)

    def _container(self, found: list[Connection]) -> Place:
        """Make a place of one container's connections: those of the first one's sandbox."""
        (first, *_) = found
        assert first.endpoint is not None
        sandbox = first.endpoint.sandbox
        name = self._naming.container(first.endpoint)
        if not sandbox:
            return Place(name=name, connections=(first,))
        own = (each for each in self._all() if each.endpoint and each.endpoint.sandbox == sandbox)
        # A link that may lead elsewhere in another mount namespace.
        path = Path(sandbox.replace("/var/run/", "/run/", 1))
        return Place(name=name, connections=tuple(own), namespace=path)

    def _all(self) -> Iterator[Connection]:
        for network in self._topology.networks:
            for endpoint in network.endpoints:
                yield Connection(network=network, endpoint=endpoint)

    def _local(self, text: str) -> Iterator[Connection]:
        address = read_address(text)
        for each in self._all():
            assert each.endpoint is not None
            names = {self._naming.container(each.endpoint), *each.endpoint.names}
            starts = len(text) >= _PREFIX and each.endpoint.id.startswith(text)
            if text in names or starts or (address and address in each.addresses):
                yield each

    def _remote(self, text: str) -> Iterator[Connection]:
        address = read_address(text)
        for network in self._topology.networks:
            for remote in network.remotes:
                each = Connection(network=network, remote=remote)
                if text in remote.names or (address and address in each.addresses):
                    yield each


def read_address(text: str) -> IPAddress | None:
    """Read an address; None if it is none."""
    try:
        return IPAddress(text) if not text.isdigit() else None
    except (AddrFormatError, ValueError):
        return None
