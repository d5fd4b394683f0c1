"""ProgramExternalConnectivity and RevokeExternalConnectivity: published ports."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from netaddr import IPAddress

from pyflat.driver.endpoints import Alive, delete_endpoint
from pyflat.errors import Conflict, Exhausted, InvalidRequest
from pyflat.model import Endpoint, Network, PortBinding, Publication, State

#: Tells whether a port of the host could be bound: protocol, host address, port.
Free = Callable[[str, IPAddress, int], bool]

ANY = {4: IPAddress("0.0.0.0"), 6: IPAddress("::")}


@dataclass(frozen=True, slots=True, kw_only=True)
class PortRequest:
    """What one ``-p`` asks for: a container port, and the host ports it may come from.

    ``host`` None means every address of the host. More than one port in ``host_ports`` means
    that any free one of them will do.
    """

    protocol: str
    container_port: int
    host: IPAddress | None
    host_ports: range

    def __str__(self) -> str:
        """Write it as a message names it: ``8080/tcp`` or ``8000-8010/tcp``."""
        first, last = self.host_ports[0], self.host_ports[-1]
        return f"{first}/{self.protocol}" if first == last else f"{first}-{last}/{self.protocol}"


def program(
    state: State, *, identifier: str, requests: Iterable[PortRequest], alive: Alive, free: Free
) -> State:
    """Publish exactly the requested ports of an endpoint; what it had published is replaced.

    An internal network publishes nothing. Raises NotFound for an unknown endpoint, Conflict for
    a port that a living endpoint holds, Exhausted when no port of a range is free.
    """
    endpoint = state.require(Endpoint, identifier)
    network = state.require(Network, endpoint.network)
    # Single ports first, lest one of a range takes them.
    requests = () if network.internal else sorted(requests, key=lambda r: len(r.host_ports))
    present = state.get(Publication, identifier)
    state = state.drop(Publication, identifier)
    own: dict[tuple[str, int], tuple[PortBinding, ...]] = {}
    for request in requests:
        pairs = tuple(_pairs(network, endpoint, request))
        if not pairs:
            continue
        hosts = [host for host, _ in pairs]
        state, port = _choose(state, request, hosts, own, present, alive, free)
        held = own.get((request.protocol, port), ())
        own[request.protocol, port] = held + tuple(_bindings(request, port, pairs))
    if not own:
        return state
    return state.put(Publication(id=identifier, bindings=tuple(chain(*own.values()))))


def revoke(state: State, identifier: str) -> State:
    """Withdraw the ports of an endpoint; an unknown one is no change."""
    return state.drop(Publication, identifier)


def _pairs(
    network: Network, endpoint: Endpoint, request: PortRequest
) -> Iterator[tuple[IPAddress, IPAddress]]:
    """Give (host address, container address) of each family the request is served in."""
    if request.host is None:
        for version in (4, 6):
            host, container = _default_host(network, version), endpoint.address(version)
            if host is not None and container is not None:
                yield host, container
        return
    container = endpoint.address(request.host.version)
    if container is None:
        raise InvalidRequest(
            f"port {request} on {request.host}: the container has no "
            f"IPv{request.host.version} address in network {network.id[:12]}"
        )
    yield request.host, container


def _default_host(network: Network, version: int) -> IPAddress | None:
    """Give the host address of ports that name none; a chosen one is the only one, as in Docker."""
    chosen = network.options.host_binding
    if chosen is None or chosen == ANY[4]:
        return ANY[version]
    return chosen if chosen.version == version else None


def _choose(
    state: State,
    request: PortRequest,
    hosts: list[IPAddress],
    own: Mapping[tuple[str, int], tuple[PortBinding, ...]],
    present: Publication | None,
    alive: Alive,
    free: Free,
) -> tuple[State, int]:
    """Find a port for the request; the State has lost the dead endpoints that held it."""
    fixed = len(request.host_ports) == 1
    kept = _kept(request, present)
    for port in chain(kept, (port for port in request.host_ports if port not in kept)):
        try:
            _check_own(own.get((request.protocol, port), ()), hosts)
            claimed = _claim_port(state, request.protocol, port, hosts, alive)
        except Conflict:
            if fixed:
                raise
            continue
        # A single port is not tried out: it is bound in a moment, and that answer is final.
        # Nor is one that we hold already, for this endpoint or for a dead one.
        ours = port in kept or claimed is not state
        if fixed or ours or all(free(request.protocol, host, port) for host in hosts):
            return claimed, port
    raise Exhausted(f"no port of {request} is free on this host")


def _kept(request: PortRequest, present: Publication | None) -> list[int]:
    """Give the ports by which the endpoint is published as requested already."""
    wanted = request.protocol, request.container_port
    bindings = present.bindings if present else ()
    ports = {b.host_port for b in bindings if (b.protocol, b.container_port) == wanted}
    return sorted(port for port in ports if port in request.host_ports)


def _check_own(bindings: tuple[PortBinding, ...], hosts: list[IPAddress]) -> None:
    if _collide(bindings, hosts):
        binding = bindings[0]
        raise Conflict(f"port {binding.host_port}/{binding.protocol} is asked for twice")


def _claim_port(
    state: State, protocol: str, port: int, hosts: list[IPAddress], alive: Alive
) -> State:
    for holder in list(state.ids("port", protocol, str(port))):
        held = state.require(Publication, holder).bindings
        at_port = (b for b in held if (b.protocol, b.host_port) == (protocol, port))
        if not _collide(at_port, hosts):
            continue
        endpoint = state.require(Endpoint, holder)
        if alive(endpoint):
            raise Conflict(
                f"port {port}/{protocol} is already published by endpoint {holder[:12]} "
                f"of network {endpoint.network[:12]}"
            )
        state = delete_endpoint(state, holder)
    return state


def _collide(bindings: Iterable[PortBinding], hosts: Iterable[IPAddress]) -> bool:
    """Say whether bindings of one port stand on one of the host addresses."""
    taken = {binding.host for binding in bindings}
    return any(
        host in taken or ANY[host.version] in taken or _any_of(host, taken) for host in hosts
    )


def _any_of(host: IPAddress, taken: set[IPAddress]) -> bool:
    return host == ANY[host.version] and any(t.version == host.version for t in taken)


def _bindings(
    request: PortRequest, port: int, pairs: Iterable[tuple[IPAddress, IPAddress]]
) -> Iterator[PortBinding]:
    for host, container in pairs:
        yield PortBinding(
            protocol=request.protocol,
            host=host,
            host_port=port,
            container=container,
            container_port=request.container_port,
        )
