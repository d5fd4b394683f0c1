"""Forgetting a host of the cluster that will not come back, on an administrator's word."""

from collections.abc import Iterator, Mapping
from typing import Any

from pyflat.errors import Conflict, NotFound
from pyflat.overlay.etcd import Etcd, Snapshot, absent, unchanged
from pyflat.overlay.follower import Engine
from pyflat.overlay.news import drop_host
from pyflat.overlay.records import host_key
from pyflat.peers import Peer
from pyflat.state import State

#: Seconds that this may take.
PATIENCE = 10.0


def forget_host(etcd: Etcd, engine: Engine, host: str) -> None:
    """Remove what a host has in the store, in State too, so that others may have its addresses.

    Raises Conflict if the host is there, NotFound if nothing is known of it, BackendError.
    """
    with etcd.within(PATIENCE):
        seen = etcd.read("")
        if host_key(host) in seen.changed:
            raise Conflict(f"host {host} is there: end pyflat on it first, and wait for its lease")
        own = [key for key, value in seen.values.items() if _belongs(key, value, host)]
        shared = dict(_without(seen, host))
        if not own and not shared and not any(engine.state.ids("peers-of", host)):
            raise NotFound(f"host {host} is not known to the cluster")
        for key, value in shared.items():
            kept = {key: value} if value["hosts"] else {}
            gone = () if kept else (key,)
            if not etcd.transact([unchanged(key, seen.revision)], put=kept, delete=gone):
                raise Conflict(f"host {host}: {key} has changed meanwhile; try again")
        if not etcd.transact([absent(host_key(host))]):
            raise Conflict(f"host {host} has come back meanwhile")
        etcd.delete(own)
    engine.learn(lambda state: (drop_everywhere(state, host), None))


def drop_everywhere(state: State, host: str) -> State:
    """Drop a host and its endpoints from every network."""
    for peer in list(state.ids("peers-of", host)):
        state = drop_host(state, state.require(Peer, peer))
    return state


def _belongs(key: str, value: Any, host: str) -> bool:
    """Say whether a key is the host's alone: named after it, or by its value."""
    named = isinstance(value, Mapping) and value.get("host") == host
    return named or key.endswith(f"/{host_key(host)}")


def _without(seen: Snapshot, host: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the values that name the host among others, without it."""
    for key, value in seen.values.items():
        hosts = value.get("hosts") if isinstance(value, Mapping) else None
        if isinstance(hosts, list) and host in hosts:
            yield key, {**value, "hosts": [each for each in hosts if each != host]}
