"""What State says about names. Pure."""

import re
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from netaddr import IPAddress

from pyflat.model import Endpoint, Key, Network
from pyflat.peers import Remote
from pyflat.state import State

#: A file of hosts(5): of one endpoint, in the folder of one network.
File: TypeAlias = tuple[str, str]

#: Names come from other hosts, and from whoever starts containers: nothing else may get into a
#: line. Longer labels and names are none (RFC 1035, section 2.3.4).
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_][a-z0-9_-]{0,62}(\.[a-z0-9_][a-z0-9_-]{0,62})*", re.I)


def files(state: State, key: Key) -> dict[File, str]:
    """Give the files that a record stands behind, with what is in them.

    The first name of an address is the one that the address leads back to.
    """
    match state.lookup(key):
        case Endpoint(sandbox=sandbox) as endpoint if sandbox:
            network = state.require(Network, endpoint.network)
            owners = [network.id] if has_names(network) else []
            text = _lines((each.ip for each in endpoint.addresses), endpoint.names)
        case Remote() as remote if remote.id.isalnum():  # as ids are, and a file's name may be
            owners = list(state.ids("vni", str(remote.vni)))
            text = _lines(remote.addresses, remote.names)
        case _:
            return {}
    return {(network, key[1]): text for network in owners if text}


def members(state: State, network: Network) -> Iterator[Key]:
    """Give the records of an overlay that have names, on whatever host."""
    yield from ((Endpoint.kind, identifier) for identifier in state.ids("network", network.id))
    yield from ((Remote.kind, identifier) for identifier in state.ids("remotes", str(network.vni)))


def gateways(network: Network) -> Iterator[IPAddress]:
    """Give the addresses of a network that its bridge bears."""
    for subnet in network.subnets:
        if subnet.gateway is not None and network.has_address(subnet.cidr.version):
            yield subnet.gateway.ip


def has_names(network: Network) -> bool:
    """Say whether names of a network are ours to learn: those of a swarm are told by Docker."""
    return network.vni is not None and not network.of_swarm


def is_asked(state: State, network: Network, server: IPAddress) -> bool:
    """Say whether questions to a name server are ours to answer.

    That is so for a gateway of an overlay with containers here, and for the servers that these
    ask by way of it.
    """
    if not has_names(network) or not any(state.ids("network", network.id)):
        return False
    own = list(gateways(network))
    if server in own:
        return True
    return (
        not network.internal
        and not (server.is_loopback() or server.is_link_local())
        and network.subnet_of(server) is None
        and any(gateway.version == server.version for gateway in own)
        and any(state.ids("asks", network.id, str(server)))
    )


def _lines(addresses: Iterable[IPAddress], names: Iterable[str]) -> str:
    valid = " ".join(name for name in names if _NAME.fullmatch(name))
    return "".join(f"{address} {valid}\n" for address in addresses) if valid else ""
