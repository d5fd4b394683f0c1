"""Tells whether events have left something of ours other than State wants it. Pure."""

from collections.abc import Callable, Iterator

from pyflat.dataplane.desired import desired
from pyflat.dataplane.events import Events
from pyflat.dataplane.objects import Address
from pyflat.model import Endpoint, Key, Network
from pyflat.state import State


def drifted(state: State, events: Events, taken: Callable[[Endpoint], bool]) -> bool:
    """Say whether a converge has something to do, or something to report.

    A pair that went with its container is none of that; ``taken`` tells it from one that was
    taken from a living container.
    """
    for name, present in events.links.items():
        for key in _keys(state, name):
            if present is not None and present not in desired(state, [key], ()):
                return True
            if present is None and _is_missed(state, key, taken):
                return True
    return any(_is_wanted(state, address) for address in events.addresses)


def _keys(state: State, name: str) -> Iterator[Key]:
    yield from ((Network.kind, identifier) for identifier in state.ids("bridge", name))
    yield from ((Endpoint.kind, identifier) for identifier in state.ids("interface", name))


def _is_missed(state: State, key: Key, taken: Callable[[Endpoint], bool]) -> bool:
    record = state.lookup(key)
    return taken(record) if isinstance(record, Endpoint) else record is not None


def _is_wanted(state: State, address: Address) -> bool:
    keys = _keys(state, address.device)
    return any(address in desired(state, [key], ()) for key in keys)
