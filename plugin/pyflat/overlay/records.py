"""What a host writes into the cluster's store of itself, and how others read it. Pure.

Keys, under the prefix; values are JSON:

- ``hosts/HOST``, under the host's lease: ``identity`` of its state folder
- ``networks/VNI/hosts/HOST``, under the host's lease: ``vtep``, ``blocks``
- ``networks/VNI/endpoints/ENDPOINT``: ``host``, ``vtep``, ``mac``, ``addresses``, ``names``,
  ``generation``

An endpoint is under no lease: its addresses stay in use when its host is no longer heard of.
``vtep`` is null where an overlay's options say where the hosts are: they are told names only.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from netaddr import AddrFormatError, IPAddress, IPNetwork

from pyflat.model import Endpoint, Key, Network
from pyflat.peers import Claim, Peer, Remote
from pyflat.state import State

NETWORKS = "networks/"

#: A key taken apart: VNI, what it is about, and of which host or endpoint.
Place: TypeAlias = tuple[int, Literal["hosts", "endpoints"], str]


def host_key(host: str) -> str:
    """Name what says that a host is there."""
    return f"hosts/{host}"


def is_leased(key: str) -> bool:
    """Say whether a key goes with its host's lease."""
    return "hosts/" in key


def place_of(key: str) -> Place | None:
    """Take the key of a host or an endpoint of a network apart; None for any other."""
    match key.split("/"):
        case ["networks", vni, ("hosts" | "endpoints") as kind, name] if vni.isdecimal():
            return int(vni), "hosts" if kind == "hosts" else "endpoints", name
    return None


def own_entries(state: State, host: str, key: Key) -> dict[str, Any]:
    """Give what a record of this host is in the store."""
    match state.lookup(key):
        case Network() as network:
            entries = dict(_host(state, host, network))
            for identifier in state.ids("network", network.id):
                entries |= _endpoint(state, host, state.require(Endpoint, identifier))
            return entries
        case Endpoint() as endpoint:
            return _endpoint(state, host, endpoint)
        case Claim() as claim:
            networks = (state.require(Network, n) for n in state.ids("addresses", claim.pool))
            return {k: v for network in networks for k, v in _host(state, host, network)}
    return {}


def own_value(state: State, host: str, key: str) -> Any:
    """Give what a key of a network has to be as far as it is this host's, else None."""
    match place_of(key):
        case (vni, "hosts", name) if name == host:
            networks = (state.require(Network, n) for n in state.ids("vni", str(vni)))
            return next((v for n in networks for k, v in _host(state, host, n) if k == key), None)
        case (_, "endpoints", identifier) if endpoint := state.get(Endpoint, identifier):
            return _endpoint(state, host, endpoint).get(key)
    return None


def all_own_entries(state: State, host: str) -> dict[str, Any]:
    """Give everything that this host has in the store, but for itself."""
    keys = [(Network.kind, identifier) for identifier in state.ids("overlays")]
    return {k: v for key in keys for k, v in own_entries(state, host, key).items()}


def read_peer(vni: int, host: str, value: Any) -> Peer | None:
    """Read what another host wrote of itself; None for what cannot be understood."""
    try:
        blocks = tuple(IPNetwork(block) for block in value["blocks"])
        return Peer(vni=vni, host=host, vtep=_vtep(value), blocks=blocks)
    except (AddrFormatError, KeyError, TypeError, ValueError):
        return None


def read_remote(vni: int, identifier: str, value: Any) -> Remote | None:
    """Read what another host wrote of an endpoint; None for what cannot be understood."""
    try:
        return Remote(
            id=identifier,
            vni=vni,
            host=str(value["host"]),
            vtep=_vtep(value),
            mac=str(value["mac"]),
            addresses=tuple(IPAddress(address) for address in value["addresses"]),
            names=tuple(map(str, value["names"])),
            generation=int(value["generation"]),
        )
    except (AddrFormatError, KeyError, TypeError, ValueError):
        return None


def _host(state: State, host: str, network: Network) -> Iterator[tuple[str, Any]]:
    if network.tunnel is None:
        return
    pools = (subnet.pool for subnet in network.subnets)
    claims = (state.require(Claim, c) for pool in pools for c in state.ids("claims", pool))
    blocks = sorted(str(claim.cidr) for claim in claims)
    value = {"vtep": _own_vtep(network), "blocks": blocks}
    yield f"{NETWORKS}{network.vni}/hosts/{host}", value


def _endpoint(state: State, host: str, endpoint: Endpoint) -> dict[str, Any]:
    network = state.require(Network, endpoint.network)
    # Before Join and after Leave nobody needs to know of it.
    if network.tunnel is None or not endpoint.sandbox:
        return {}
    value = {
        "host": host,
        "vtep": _own_vtep(network),
        "mac": endpoint.mac,
        "addresses": [str(address.ip) for address in endpoint.addresses],
        "names": list(endpoint.names),
        "generation": endpoint.generation,
    }
    return {f"{NETWORKS}{network.vni}/endpoints/{endpoint.id}": value}


def _own_vtep(network: Network) -> str | None:
    assert network.tunnel is not None
    return str(network.tunnel.address) if network.is_clustered else None


def _vtep(value: Any) -> IPAddress | None:
    return _parsed(value["vtep"]) if value["vtep"] is not None else None


@lru_cache(maxsize=256)
def _parsed(vtep: str) -> IPAddress:
    # Thousands of endpoints are behind a few of them.
    return IPAddress(vtep)
