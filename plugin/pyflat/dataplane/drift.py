"""Tells whether events have left something of ours other than State wants it. Pure."""

from collections.abc import Callable, Iterable, Iterator

from pyflat.dataplane.desired import desired
from pyflat.dataplane.events import Events
from pyflat.dataplane.objects import Address, Forwarding, Uplink
from pyflat.model import Endpoint, Key, Network
from pyflat.peers import Peer, Remote
from pyflat.state import State


def drifted(
    state: State,
    events: Events,
    taken: Callable[[Endpoint], bool],
    stands: Callable[[Forwarding], bool],
    uplinks: Iterable[Uplink] = (),
) -> bool:
    """Say whether a converge has something to do, or something to report.

    A pair that went with its container is none of that; ``taken`` tells it from one that was
    taken from a living container. ``stands`` says whether an interface forwards.
    """
    for name, present in events.links.items():
        for key in _keys(state, name):
            if present is not None and present not in desired(state, [key], ()):
                return True
            if present is None and _is_missed(state, key, taken):
                return True
    if events.entries and not _wanted_entries(state, events).isdisjoint(events.entries):
        return True
    if any(_is_wanted(state, address, ()) for address in events.addresses):
        return True
    return any(_is_wanted(state, i, uplinks) and not stands(i) for i in events.switched)


def _wanted_entries(state: State, events: Events) -> set[tuple[object, ...]]:
    """Give the keys of what the records want of which something was taken, entries and more.

    Goes through what is known of an overlay's other hosts: there is no index of MACs.
    """
    devices = {str(device) for _, device, _ in events.entries}
    taken = {what for _, _, what in events.entries}
    networks = {i for device in devices for i in state.ids("bridge", device)}
    keys: list[Key] = []
    for vni in {str(state.require(Network, i).vni) for i in networks}:
        for identifier in state.ids("peers", vni):
            if state.require(Peer, identifier).vtep in taken:
                keys.append((Peer.kind, identifier))
        for identifier in state.ids("remotes", vni):
            remote = state.require(Remote, identifier)
            if remote.mac in taken or not taken.isdisjoint(remote.addresses):
                keys.append((Remote.kind, identifier))
    return {item.key for item in desired(state, keys, ())}


def _keys(state: State, name: str) -> Iterator[Key]:
    yield from ((Network.kind, identifier) for identifier in state.ids("bridge", name))
    yield from ((Endpoint.kind, identifier) for identifier in state.ids("interface", name))


def _is_missed(state: State, key: Key, taken: Callable[[Endpoint], bool]) -> bool:
    record = state.lookup(key)
    return taken(record) if isinstance(record, Endpoint) else record is not None


def _is_wanted(state: State, item: Address | Forwarding, uplinks: Iterable[Uplink]) -> bool:
    keys = _keys(state, item.device)
    return item in desired(state, keys, uplinks)
