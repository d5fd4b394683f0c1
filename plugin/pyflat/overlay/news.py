"""What other hosts tell of overlays, as changes of State. Pure.

A record of an address gives way to one of a higher generation, wherever it comes from. What is
not heard of any more stays for a time: the store may have lost it, or be out of reach. Of overlays
whose options say where the hosts are, only who has which name is taken up.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, TypeAlias

from netaddr import IPAddress

from pyflat.model import Endpoint, Network
from pyflat.overlay.records import place_of, read_peer, read_remote
from pyflat.peers import Peer, Remote
from pyflat.state import State

#: An address of a network that is behind another MAC now: VNI, address and MAC.
Move: TypeAlias = tuple[int, IPAddress, str]


@dataclass(slots=True)
class Heard:
    """What follows from news beside the new State.

    ``moves`` are addresses that containers here may know another MAC of; ``new`` the VNIs of hosts
    whose endpoints are not known yet; ``winners`` the endpoints, with their VNI, that have an
    address of others: when they go, the others are to be looked for; ``clashes`` what an
    administrator has to know.
    """

    moves: list[Move] = field(default_factory=list)
    new: set[int] = field(default_factory=set)
    winners: dict[str, int] = field(default_factory=dict)
    clashes: list[str] = field(default_factory=list)


def hear(state: State, *, own: str, changed: Mapping[str, Any], now: float) -> tuple[State, Heard]:
    """Take up what has changed in the store; ``own`` is the name of this host."""
    heard = Heard()
    places = [(place, value) for key, value in changed.items() if (place := place_of(key))]
    # Hosts first: an endpoint of a host that is not known is nobody's.
    for (vni, kind, name), value in sorted(places, key=lambda each: each[0][1] != "hosts"):
        if not any(state.ids("vni", str(vni))):
            continue
        if kind == "hosts":
            state = _hear_host(state, own, vni, name, value, now, heard)
        else:
            state = _hear_endpoint(state, vni, name, value, heard)
    return state, heard


def settle(
    state: State,
    *,
    own: str,
    found: Mapping[str, Any],
    now: float,
    vnis: Iterable[int] | None = None,
) -> tuple[State, Heard]:
    """Take up everything that stands in the store of some networks, or of all.

    An endpoint that is missing is gone if its host is there to have said so. Once all is read,
    the time of the hosts that are missing begins anew: they may be as late as this one.
    """
    state, heard = hear(state, own=own, changed=found, now=now)
    places = {place for key in found if (place := place_of(key))}
    for vni in _vnis(state) if vnis is None else vnis:
        for identifier in list(state.ids("peers", str(vni))):
            peer = state.require(Peer, identifier)
            if peer.vtep is not None and not _network(state, vni).is_clustered:
                continue  # the network's options name it
            if (vni, "hosts", peer.host) not in places and not (vnis and peer.expired):
                state = state.put(replace(peer, expired=now))
        for identifier in list(state.ids("remotes", str(vni))):
            host = state.require(Remote, identifier).host
            told = (vni, "endpoints", identifier) in places
            if not told and (vni, "hosts", host) in places:
                state = state.drop(Remote, identifier)
    heard.new.clear()
    return state, heard


def expire(state: State, now: float, grace: float) -> State:
    """Drop hosts that were not heard of for the seconds of grace, with their endpoints."""
    for identifier in list(state.ids("expired")):
        peer = state.require(Peer, identifier)
        if now - peer.expired > grace:
            state = drop_host(state, peer)
    return state


def drop_host(state: State, peer: Peer) -> State:
    """Drop a host of a network with its endpoints there."""
    for remote in list(state.ids("remotes-of", str(peer.vni), peer.host)):
        state = state.drop(Remote, remote)
    return state.drop(Peer, peer.id)


def _vnis(state: State) -> set[int]:
    networks = (state.require(Network, identifier) for identifier in state.ids("overlays"))
    return {network.vni for network in networks if network.vni}


def _network(state: State, vni: int) -> Network:
    return next(state.require(Network, identifier) for identifier in state.ids("vni", str(vni)))


def _hear_host(
    state: State, own: str, vni: int, host: str, value: Any, now: float, heard: Heard
) -> State:
    known = state.get(Peer, f"{vni}|{host}")
    if value is None:
        late = known is not None and not known.expired
        return state.put(replace(known, expired=now)) if known and late else state
    peer = read_peer(vni, host, value)
    if peer is None or host == own:
        return state
    if not _network(state, vni).is_clustered:
        peer = replace(peer, vtep=None, blocks=())
    if known is None or known.expired:
        heard.new.add(vni)
    return _give_way(state, peer).put(peer)


def _give_way(state: State, peer: Peer) -> State:
    """Take from other hosts what is this one's: an address, as after a new name, or a block."""
    for identifier in list(state.ids("peers", str(peer.vni))):
        rival = state.require(Peer, identifier)
        if rival.host == peer.host:
            continue
        if rival.vtep == peer.vtep is not None:
            state = drop_host(state, rival)
        elif set(rival.blocks) & set(peer.blocks):
            blocks = tuple(block for block in rival.blocks if block not in peer.blocks)
            state = state.put(replace(rival, blocks=blocks))
    return state


def _hear_endpoint(state: State, vni: int, identifier: str, value: Any, heard: Heard) -> State:
    if value is None:
        return _withdraw(state, vni, identifier)
    remote = read_remote(vni, identifier, value)
    peer = state.get(Peer, f"{vni}|{remote.host}") if remote is not None else None
    if remote is None or peer is None:
        return state
    if peer.vtep is None:
        if not all(map(_network(state, vni).subnet_of, remote.addresses)):
            return state  # nobody keeps such overlays of one VNI apart
        remote = replace(remote, vtep=None)
    if here := list(_here(state, remote)):
        heard.winners |= {endpoint.id: vni for endpoint in here}
        heard.clashes += [_clash(e, remote) for e in here if _rank(e) < _rank(remote)]
        return state.drop(Remote, identifier)
    rivals = list(_rivals(state, remote))
    if any(_rank(rival) > _rank(remote) for rival in rivals):
        heard.winners |= {rival.id: vni for rival in rivals}
        return state
    for rival in rivals:
        heard.winners[identifier] = vni
        state = state.drop(Remote, rival.id)
    old = state.get(Remote, identifier)
    is_moved = remote.vtep is not None and (old is None or old.mac != remote.mac)
    if is_moved and _has_containers(state, vni):
        heard.moves += [(vni, address, remote.mac) for address in remote.addresses]
    return state.put(remote)


def _withdraw(state: State, vni: int, identifier: str) -> State:
    known = state.get(Remote, identifier)
    peer = state.get(Peer, f"{vni}|{known.host}") if known else None
    # A host that went in the same moment has not said so: somebody has emptied the store.
    return state.drop(Remote, identifier) if peer and not peer.expired else state


def _has_containers(state: State, vni: int) -> bool:
    endpoints = (e for network in state.ids("vni", str(vni)) for e in state.ids("network", network))
    return any(state.require(Endpoint, endpoint).sandbox for endpoint in endpoints)


def _here(state: State, remote: Remote) -> Iterator[Endpoint]:
    """Give the endpoints of containers of this host that have one of the addresses."""
    networks = list(state.ids("vni", str(remote.vni)))
    for network, address in product(networks, remote.addresses):
        for identifier in state.ids("address", network, str(address)):
            endpoint = state.require(Endpoint, identifier)
            if endpoint.sandbox:
                yield endpoint


def _rivals(state: State, remote: Remote) -> Iterator[Remote]:
    """Give the endpoints of other hosts that have one of the addresses."""
    for address in remote.addresses:
        for identifier in state.ids("remote", str(remote.vni), str(address)):
            if identifier != remote.id:
                yield state.require(Remote, identifier)


def _rank(endpoint: Endpoint | Remote) -> tuple[int, str]:
    """Order endpoints of one address as every host does, also those of the same moment."""
    return endpoint.generation, endpoint.id


def _clash(endpoint: Endpoint, remote: Remote) -> str:
    addresses = {address.ip for address in endpoint.addresses} & set(remote.addresses)
    return (
        f"address {', '.join(map(str, addresses))} of vni {remote.vni}: endpoint "
        f"{endpoint.id[:12]} here has it, and endpoint {remote.id[:12]} on host {remote.host} since"
    )
