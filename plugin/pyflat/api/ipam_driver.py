"""IpamDriver.*: each method as a change of State."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal

from pyflat.api import messages
from pyflat.api.calls import Method, Result, World
from pyflat.api.codec import plain_address, subnet_address
from pyflat.driver import endpoints, swarm
from pyflat.errors import InvalidRequest
from pyflat.ipam.addresses import release_address, request_address
from pyflat.ipam.pools import (
    GLOBAL,
    LOCAL,
    Source,
    free_subnet,
    read_lease,
    release_pool,
    request_pool,
)
from pyflat.ipam.shared import cluster_network, request_shared_address
from pyflat.ipam.swarm import release_swarm_pool, request_swarm_pool
from pyflat.state import State


def _capabilities(state: State, _: messages.Request, __: World) -> Result:
    return state, {"RequiresMACAddress": False, "RequiresRequestReplay": False}


def _address_spaces(state: State, _: messages.Request, __: World) -> Result:
    return state, {"LocalDefaultAddressSpace": LOCAL, "GlobalDefaultAddressSpace": GLOBAL}


def _request_pool(
    sources: Sequence[Source], state: State, request: messages.RequestPool, world: World
) -> Result:
    _check_options(request.Options)
    version: Literal[4, 6] = 6 if request.V6 else 4
    is_swarm = request.AddressSpace == GLOBAL
    if request.Pool:
        # Of any pool a swarm says that it is not IPv6 (swarmkit's allocator).
        told = None if is_swarm else version
        cidr = subnet_address("Pool", request.Pool, version=told).cidr
        state = swarm.give_way(state, request.AddressSpace, cidr, world.alive)
    else:
        cidr = free_subnet(
            state,
            space=request.AddressSpace,
            version=version,
            sources=sources,
            occupied=world.occupied(),
        )
    part = subnet_address("SubPool", request.SubPool).cidr if request.SubPool else None
    give = request_swarm_pool if is_swarm else partial(request_pool, space=request.AddressSpace)
    state, lease = give(state, cidr=cidr, part=part, automatic=not request.Pool)
    return state, {"PoolID": str(lease), "Pool": str(cidr), "Data": {}}


def _release_pool(state: State, request: messages.ReleasePool, _: World) -> Result:
    is_swarm = request.PoolID.startswith(f"{GLOBAL}|")
    return (release_swarm_pool if is_swarm else release_pool)(state, request.PoolID), {}


def _request_address(state: State, request: messages.RequestAddress, world: World) -> Result:
    lease = read_lease(request.PoolID)
    wanted = plain_address("Address", request.Address) if request.Address else None
    if wanted is not None:
        state = endpoints.give_way(state, lease.pool, wanted, world.away)
    gateway = (request.Options or {}).get(messages.ADDRESS_TYPE) == messages.GATEWAY
    network = cluster_network(state, lease.pool)
    if network is None or gateway:
        in_turn = lease.pool.startswith(f"{GLOBAL}|")
        state, address = request_address(
            state, lease, wanted=wanted, gateway=gateway, in_turn=in_turn
        )
    else:
        leased = world.site.leased()
        state, address = request_shared_address(state, lease, network, wanted=wanted, leased=leased)
    return state, {"Address": str(address), "Data": {}}


def _release_address(state: State, request: messages.ReleaseAddress, world: World) -> Result:
    address = plain_address("Address", request.Address)
    pool = read_lease(request.PoolID).pool
    state = endpoints.give_way(state, pool, address, world.away)
    # dockerd releases after DeleteEndpoint. A release that comes late, for an address that was
    # taken back from a dead endpoint and given out again, must not free it once more.
    if endpoints.is_held(state, pool, address):
        return state, {}
    return release_address(state, pool, address), {}


def methods(sources: Sequence[Source]) -> dict[str, Method]:
    """Give the method table; ``sources`` is where automatic pools are taken from, in order."""
    return {
        "GetCapabilities": Method(messages.Request, _capabilities),
        "GetDefaultAddressSpaces": Method(messages.Request, _address_spaces),
        "RequestPool": Method(messages.RequestPool, partial(_request_pool, sources)),
        "ReleasePool": Method(messages.ReleasePool, _release_pool),
        "RequestAddress": Method(messages.RequestAddress, _request_address),
        "ReleaseAddress": Method(messages.ReleaseAddress, _release_address),
    }


def _check_options(options: Mapping[str, str] | None) -> None:
    for key in options or ():
        # The latter comes with the second pool of a network of a swarm.
        if not key.startswith("com.docker.") and key != messages.ADDRESS_TYPE:
            raise InvalidRequest(f"address option {key} is not known; there are none")
