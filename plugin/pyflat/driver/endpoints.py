"""CreateEndpoint, DeleteEndpoint, Join and Leave."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from netaddr import IPAddress

from pyflat import naming
from pyflat.addressing import InterfaceAddress
from pyflat.driver.clusters import check_addresses
from pyflat.errors import Conflict, InvalidRequest
from pyflat.ipam.addresses import release_address
from pyflat.model import Endpoint, Network, Publication
from pyflat.peers import Remote
from pyflat.state import State

#: Tells whether a container still stands behind an endpoint. A killed dockerd never says that
#: an endpoint is gone, but comes back and asks for its address and ports under a new id.
Alive = Callable[[Endpoint], bool]


def create_endpoint(
    state: State,
    *,
    network_id: str,
    identifier: str,
    addresses: Iterable[InterfaceAddress],
    mac: str,
    now: float,
    alive: Alive,
    servers: Iterable[IPAddress] = (),
    leased: bool = True,
) -> State:
    """Add an endpoint; the same one once more is no change.

    ``mac`` may be "", then one is chosen. ``servers`` are the name servers that Docker asks for
    the container. An endpoint that is not alive gives way to one with the same address. Raises
    NotFound for an unknown network, InvalidRequest for a bad id or an address outside the network,
    Conflict for an address in use, Unclaimed as ``check_addresses`` does.
    """
    network = state.require(Network, network_id)
    naming.check_id("endpoint", identifier)
    own = tuple(addresses)
    old = state.get(Endpoint, identifier)
    endpoint = Endpoint(
        id=identifier,
        network=network_id,
        mac=mac or (old.mac if old else _choose_mac(network, identifier, own)),
        addresses=own,
        since=now,
        servers=tuple(servers) if network.vni is not None else (),
    )
    if old is not None:
        told = {"since", "sandbox", "generation", "names", "servers"}
        if replace(endpoint, **{field: getattr(old, field) for field in told}) == old:
            return state
        raise Conflict(f"endpoint {identifier} exists already with another description")
    for address in own:
        state = _claim_address(state, network, address, alive)
    check_addresses(state, network, own, leased=leased)
    return state.put(endpoint)


def delete_endpoint(state: State, identifier: str) -> State:
    """Remove an endpoint and its ports; an unknown one is no change."""
    return state.drop(Publication, identifier).drop(Endpoint, identifier)


def join(state: State, *, identifier: str, sandbox: str, now: float) -> State:
    """Note the container's namespace; on an overlay, nobody else has its addresses then.

    Raises NotFound for an unknown endpoint.
    """
    endpoint = state.require(Endpoint, identifier)
    if endpoint.sandbox == sandbox:
        return state
    network = state.require(Network, endpoint.network)
    if network.vni is not None:
        state, endpoint = _supersede(state, network, endpoint, now)
    return state.put(replace(endpoint, sandbox=sandbox, since=now))


def leave(state: State, *, identifier: str, now: float) -> State:
    """Forget the container's namespace and its ports; an unknown endpoint is no change.

    The veth pair stays until DeleteEndpoint: dockerd moves its end back after this call, and
    forgets the interface's name only if it finds it (moby ``osl/interface_linux.go``).
    """
    endpoint = state.get(Endpoint, identifier)
    if endpoint is None:
        return state
    return state.drop(Publication, identifier).put(replace(endpoint, sandbox="", since=now))


def name_endpoint(state: State, *, identifier: str, names: Iterable[str]) -> State:
    """Note the names of an endpoint's container; an unknown endpoint is no change."""
    endpoint = state.get(Endpoint, identifier)
    return state.put(replace(endpoint, names=tuple(names))) if endpoint is not None else state


def bury(state: State, endpoint: Endpoint) -> State:
    """Remove a dead endpoint with its ports and with its addresses, if they are of our pools.

    Of a living one dockerd itself gives the addresses back, after DeleteEndpoint.
    """
    network = state.require(Network, endpoint.network)
    for address in endpoint.addresses:
        subnet = network.subnet_of(address.ip)
        if subnet is not None:
            state = release_address(state, subnet.pool, address.ip)
    return delete_endpoint(state, endpoint.id)


def drop_dead(state: State, alive: Alive) -> State:
    """Remove every endpoint that no container stands behind any more."""
    for endpoint in list(state.all(Endpoint)):
        if not alive(endpoint):
            state = bury(state, endpoint)
    return state


def give_way(state: State, pool: str, address: IPAddress, alive: Alive) -> State:
    """Remove a dead endpoint that holds an address of a pool, so that it can be given out."""
    for network in list(state.ids("addresses", pool)):
        for holder in list(state.ids("address", network, str(address))):
            endpoint = state.require(Endpoint, holder)
            if not alive(endpoint):
                state = bury(state, endpoint)
    return state


def is_held(state: State, pool: str, address: IPAddress) -> bool:
    """Say whether an endpoint has an address of a pool."""
    networks = state.ids("addresses", pool)
    return any(any(state.ids("address", network, str(address))) for network in networks)


def _supersede(
    state: State, network: Network, endpoint: Endpoint, now: float
) -> tuple[State, Endpoint]:
    """Have an endpoint take its addresses from those of other hosts that are known to have them.

    Its generation is above theirs, and by the clock, in milliseconds, above those not heard of.
    """
    vni = str(network.vni)
    addresses = [str(address.ip) for address in endpoint.addresses]
    rivals = [state.require(Remote, r) for a in addresses for r in state.ids("remote", vni, a)]
    for rival in rivals:
        state = state.drop(Remote, rival.id)
    above = (rival.generation + 1 for rival in rivals)
    generation = max(int(now * 1000), endpoint.generation, *above)
    return state, replace(endpoint, generation=generation)


def _claim_address(
    state: State, network: Network, address: InterfaceAddress, alive: Alive
) -> State:
    subnet = network.subnet_of(address.ip)
    if subnet is None:
        raise InvalidRequest(f"address {address.ip} is in no subnet of network {network.id[:12]}")
    if subnet.gateway is not None and subnet.gateway.ip == address.ip:
        raise Conflict(f"address {address.ip} is the gateway of network {network.id[:12]}")
    for holder in list(state.ids("address", network.id, str(address.ip))):
        if alive(state.require(Endpoint, holder)):
            raise Conflict(
                f"address {address.ip} of network {network.id[:12]} is held by "
                f"endpoint {holder[:12]}"
            )
        state = delete_endpoint(state, holder)
    return state


def _choose_mac(network: Network, identifier: str, addresses: tuple[InterfaceAddress, ...]) -> str:
    if network.is_clustered:
        # The address may move to another host, where nobody must take it for what it was here.
        return naming.random_mac()
    by_family = sorted(addresses, key=lambda address: address.version)
    if by_family:
        return naming.mac_of_address(by_family[0].ip)
    return naming.mac_of_id(identifier)
