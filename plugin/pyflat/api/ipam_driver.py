"""IpamDriver.*: each method as a change of State."""

from pyflat.api import messages
from pyflat.api.calls import Method, Result, World
from pyflat.api.codec import plain_address, subnet_address
from pyflat.ipam import addresses, pools
from pyflat.model import State

LOCAL, GLOBAL = "PyflatLocal", "PyflatGlobal"


def _capabilities(state: State, _: messages.Request, __: World) -> Result:
    return state, {"RequiresMACAddress": False, "RequiresRequestReplay": False}


def _address_spaces(state: State, _: messages.Request, __: World) -> Result:
    return state, {"LocalDefaultAddressSpace": LOCAL, "GlobalDefaultAddressSpace": GLOBAL}


def _request_pool(state: State, request: messages.RequestPool, _: World) -> Result:
    state, pool = pools.request_pool(
        state,
        space=request.AddressSpace,
        cidr=subnet_address("Pool", request.Pool).cidr if request.Pool else None,
        part=subnet_address("SubPool", request.SubPool).cidr if request.SubPool else None,
        version=6 if request.V6 else 4,
    )
    return state, {"PoolID": pool.id, "Pool": str(pool.cidr), "Data": {}}


def _release_pool(state: State, request: messages.ReleasePool, _: World) -> Result:
    return pools.release_pool(state, request.PoolID), {}


def _request_address(state: State, request: messages.RequestAddress, _: World) -> Result:
    wanted = plain_address("Address", request.Address) if request.Address else None
    state, address = addresses.request_address(state, request.PoolID, wanted)
    return state, {"Address": str(address), "Data": {}}


def _release_address(state: State, request: messages.ReleaseAddress, _: World) -> Result:
    address = plain_address("Address", request.Address)
    return addresses.release_address(state, request.PoolID, address), {}


METHODS = {
    "GetCapabilities": Method(messages.Request, _capabilities),
    "GetDefaultAddressSpaces": Method(messages.Request, _address_spaces),
    "RequestPool": Method(messages.RequestPool, _request_pool),
    "ReleasePool": Method(messages.ReleasePool, _release_pool),
    "RequestAddress": Method(messages.RequestAddress, _request_address),
    "ReleaseAddress": Method(messages.ReleaseAddress, _release_address),
}
