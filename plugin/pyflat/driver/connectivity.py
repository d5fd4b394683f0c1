"""ProgramExternalConnectivity and RevokeExternalConnectivity: published ports."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import TypeAlias

from netaddr import IPAddress

from pyflat.driver.endpoints import Alive, bury
from pyflat.errors import Conflict, Exhausted, InvalidRequest
from pyflat.model import ANY, LOOPBACK6, Endpoint, Network, PortBinding, Publication
from pyflat.state import State

#: Tells whether a port of the host could be bound: protocol, host address, port.
Free = Callable[[str, IPAddress, int], bool]

#: A host address, None where nothing is translated, and the container's address.
Pair: TypeAlias = tuple[IPAddress | None, IPAddress]


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
    state: State,
    *,
    identifier: str,
    requests: Iterable[PortRequest],
    ipv6: bool,
    alive: Alive,
    free: Free,
) -> State:
    """Publish exactly the requested ports of an endpoint; what it had published is replaced.

    Without ``ipv6`` an endpoint with an IPv4 address leaves ports of the host's IPv6 addresses to
    another, which is the container's way out for it. An internal network publishes nothing.
    Raises NotFound for an unknown endpoint, InvalidRequest for what cannot be published, Conflict
    for a port that a living endpoint holds, Exhausted when no port of a range is free.
    """
    endpoint = state.require(Endpoint, identifier)
    network = state.require(Network, endpoint.network)
    # Single ports first, lest one of a range takes them.
    requests = () if network.internal else sorted(requests, key=lambda r: len(r.host_ports))
    versions = (4, 6) if ipv6 or not endpoint.address(4) else (4,)
    alive = cache(alive)
    old = state.get(Publication, identifier)
    state = state.drop(Publication, identifier)
    own: dict[tuple[str, int], tuple[PortBinding, ...]] = {}
    for request in requests:
        pairs = tuple(_pairs(network, endpoint, request, versions))
        if not pairs:
            continue
        hosts = [host for host, _ in pairs if host is not None]
        kept = _kept(old, request)
        state, port = _choose(state, request, hosts, kept, own, alive, free)
        held = own.get((request.protocol, port), ())
        own[request.protocol, port] = held + tuple(_bindings(request, port, pairs))
    if not own:
        return state
    return state.put(Publication(id=identifier, bindings=tuple(chain(*own.values()))))


def revoke(state: State, identifier: str) -> State:
    """Withdraw the ports of an endpoint; an unknown one is no change."""
    return state.drop(Publication, identifier)


def _pairs(
    network: Network, endpoint: Endpoint, request: PortRequest, versions: Collection[int]
) -> Iterator[Pair]:
    """Give (host address, container address) of each family the request is served in."""
    host = request.host if request.host is not None else _default_host(network)
    asked = (4, 6) if host is None else (host.version,)
    for version in (version for version in asked if version in versions):
        container = endpoint.address(version)
        if host == LOOPBACK6:
            container = _behind_loopback(endpoint, request)
        if container is not None:
            routed = network.options.family(container.version).mode == "routed"
            yield (None if routed else ANY[version] if host is None else host), container
        elif request.host is not None and version == 6:
            raise InvalidRequest(
                f"port {request} on {request.host}: the container has no "
                f"IPv6 address in network {network.id[:12]}"
            )


def _behind_loopback(endpoint: Endpoint, request: PortRequest) -> IPAddress | None:
    """Give the address that ::1 leads to: connections are relayed there, of either family."""
    if request.protocol != "tcp":
        raise InvalidRequest(
            f"port {request} on ::1: {request.protocol} cannot be published there, only tcp; "
            "publish it on 127.0.0.1 or on an address of the host"
        )
    return endpoint.address(6) or endpoint.address(4)


def _default_host(network: Network) -> IPAddress | None:
    """Give the one host address of ports that name none, None for all; as in Docker."""
    chosen = network.options.host_binding
    return None if chosen == ANY[4] else chosen


def _choose(
    state: State,
    request: PortRequest,
    hosts: list[IPAddress],
    kept: Sequence[int],
    own: Mapping[tuple[str, int], tuple[PortBinding, ...]],
    alive: Alive,
    free: Free,
) -> tuple[State, int]:
    """Find a port for the request: one of the ``kept``, else one that nobody has.

    The State that is given has lost the dead endpoints that held the port.
    """
    protocol = request.protocol
    if len(request.host_ports) == 1:
        # Not tried out: it is bound in a moment, and that answer is final.
        port = request.host_ports[0]
        _check_own(own.get((protocol, port), ()), hosts)
        return _claim_port(state, protocol, port, hosts, alive), port
    held = []
    for port in (*kept, *request.host_ports):
        if (protocol, port) in own:
            continue
        if any(state.ids("port", protocol, str(port))):
            held.append(port)
        elif port in kept or all(free(protocol, host, port) for host in hosts):
            return state, port
    for port in held:
        with suppress(Conflict):
            return _claim_port(state, protocol, port, hosts, alive), port
    raise Exhausted(f"no port of {request} is free on this host")


def _kept(old: Publication | None, request: PortRequest) -> Sequence[int]:
    """Give the ports that an earlier call chose for the same request: a replay is exact."""
    return [
        binding.host_port
        for binding in (old.bindings if old else ())
        if (binding.protocol, binding.container_port) == (request.protocol, request.container_port)
        and binding.host_port in request.host_ports
    ]


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
        state = bury(state, endpoint)
    return state


def _collide(bindings: Iterable[PortBinding], hosts: Iterable[IPAddress]) -> bool:
    """Say whether bindings of one port stand on one of the host addresses."""
    taken = {binding.host for binding in bindings if binding.host is not None}
    return any(
        host in taken or ANY[host.version] in taken or _any_of(host, taken) for host in hosts
    )


def _any_of(host: IPAddress, taken: set[IPAddress]) -> bool:
    return host == ANY[host.version] and any(t.version == host.version for t in taken)


def _bindings(request: PortRequest, port: int, pairs: Iterable[Pair]) -> Iterator[PortBinding]:
    for host, container in pairs:
        yield PortBinding(
            protocol=request.protocol,
            host=host,
            host_port=port if host is not None else request.container_port,
            container=container,
            container_port=request.container_port,
        )
